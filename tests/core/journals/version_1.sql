-- A journal as the first version of linq_nb wrote it: one send that was accepted, and its answer.
CREATE TABLE meta (
  name TEXT NOT NULL,
  value TEXT,
  PRIMARY KEY (name)
);
CREATE TABLE sends (
  send_no INTEGER NOT NULL,
  send_id TEXT,
  base_url TEXT,
  content TEXT,
  copy INTEGER,
  chat_id TEXT,
  chat_name TEXT,
  is_group BOOLEAN,
  from_handle TEXT,
  to_handles TEXT,
  memo_source TEXT,
  voice_memo_url TEXT,
  filename TEXT,
  format TEXT,
  mime_type TEXT,
  size_bytes BIGINT,
  duration_ms BIGINT,
  sha256 TEXT,
  attachment_id TEXT,
  message_id TEXT,
  service TEXT,
  status TEXT,
  http_status BIGINT,
  error_code BIGINT,
  error_message TEXT,
  doc_url TEXT,
  trace_id TEXT,
  attempts INTEGER,
  created_at BIGINT,
  posted_at BIGINT,
  accepted_at BIGINT,
  sent_at BIGINT,
  delivered_at BIGINT,
  read_at BIGINT,
  failed_at BIGINT,
  checked_at BIGINT,
  reconcile_result TEXT,
  override_optout TEXT,
  owner TEXT,
  epoch INTEGER DEFAULT '0' NOT NULL,
  lease_until BIGINT,
  PRIMARY KEY (send_no),
  CONSTRAINT send_name UNIQUE (send_id),
  CONSTRAINT send_key UNIQUE (base_url, chat_id, content, copy)
);
CREATE INDEX sends_created ON sends (created_at);
CREATE INDEX sends_message ON sends (message_id);
CREATE INDEX sends_status ON sends (status);
CREATE TABLE events (
  event_no INTEGER NOT NULL,
  send_id TEXT,
  at BIGINT,
  source TEXT,
  status TEXT,
  http_status BIGINT,
  error_code BIGINT,
  error_message TEXT,
  doc_url TEXT,
  trace_id TEXT,
  message_id TEXT,
  service TEXT,
  sent_at BIGINT,
  delivered_at BIGINT,
  read_at BIGINT,
  failed_at BIGINT,
  reconcile_result TEXT,
  body TEXT,
  PRIMARY KEY (event_no)
);
CREATE INDEX events_send ON events (send_id);
CREATE TABLE names (
  name TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (name)
);
CREATE INDEX names_content ON names (content);
CREATE TABLE attachments (
  account TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  attachment_id TEXT NOT NULL,
  uploaded_at BIGINT,
  PRIMARY KEY (account, sha256)
);
INSERT INTO meta VALUES ('schema_version', '1');
INSERT INTO meta VALUES ('hash_key', '5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a');
INSERT INTO sends (send_no, send_id, base_url, content, copy, chat_id, to_handles, memo_source, filename, message_id, status, trace_id, attempts, created_at, posted_at, accepted_at, checked_at, epoch)
VALUES (1, 'f88997f0-6191-5f90-8856-b67b1d101675', 'https://api.linqapp.com/api/partner', 'sha256:abababababababababababababababababababababababababababababababab', 1, '550e8400-e29b-41d4-a716-446655440000', '[]', 'file', 'hello.wav', '69a37c7d-af4f-4b5e-af42-e28e98ce873a', 'queued', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1, 1772442000000000, 1772442000000000, 1772442000000000, 1772442000000000, 1);
INSERT INTO events (event_no, send_id, at, source, status, http_status, trace_id, message_id, body)
VALUES (1, 'f88997f0-6191-5f90-8856-b67b1d101675', 1772442000000000, 'post', 'queued', 202, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '69a37c7d-af4f-4b5e-af42-e28e98ce873a', '{}');
