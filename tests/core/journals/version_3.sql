-- A journal as version 3 of the schema wrote it: a send that was accepted, one at ``sending``, and a webhook event.
CREATE TABLE attachments (
  account TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  attachment_id TEXT NOT NULL,
  uploaded_at BIGINT,
  PRIMARY KEY (account, sha256)
);
INSERT INTO "attachments" VALUES('account','abababababababababababababababababababababababababababababababab','7e1ad5a2-8d4e-4c0b-9b8e-0d7a6f0c1b2a',1772442000000000);
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
  event_id TEXT,
  event_type TEXT,
  chat_id TEXT,
  body TEXT,
  waits INTEGER,
  PRIMARY KEY (event_no)
);
INSERT INTO "events" VALUES(1,'f88997f0-6191-5f90-8856-b67b1d101675',1772442000000000,'post','queued',202,NULL,NULL,NULL,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','69a37c7d-af4f-4b5e-af42-e28e98ce873a',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{}',NULL);
INSERT INTO "events" VALUES(2,'',1772442000000000,'webhook','sent',NULL,NULL,NULL,NULL,NULL,'00000000-0000-4000-8000-000000000002',NULL,NULL,NULL,NULL,NULL,NULL,'evt-1','message.sent','550e8400-e29b-41d4-a716-446655440000','{"a":1}',1);
CREATE TABLE meta (
  name TEXT NOT NULL,
  value TEXT,
  PRIMARY KEY (name)
);
INSERT INTO "meta" VALUES('hash_key','5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a');
INSERT INTO "meta" VALUES('schema_version','3');
CREATE TABLE names (
  name TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (name)
);
INSERT INTO "names" VALUES('attachment:7e1ad5a2-8d4e-4c0b-9b8e-0d7a6f0c1b2a','sha256:abababababababababababababababababababababababababababababababab');
INSERT INTO "names" VALUES('sha256:abababababababababababababababababababababababababababababababab','sha256:abababababababababababababababababababababababababababababababab');
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
  skew_min_ms BIGINT,
  skew_max_ms BIGINT,
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
  url_base TEXT,
  marked_at BIGINT,
  PRIMARY KEY (send_no),
  CONSTRAINT send_name UNIQUE (send_id),
  CONSTRAINT send_key UNIQUE (chat_id, content, copy, base_url)
);
INSERT INTO "sends" VALUES(1,'f88997f0-6191-5f90-8856-b67b1d101675','https://api.linqapp.com/api/partner','sha256:abababababababababababababababababababababababababababababababab',1,'550e8400-e29b-41d4-a716-446655440000','Ada Lovelace',0,'+12025550100','["+12025550111"]','file',NULL,'hello.wav',NULL,NULL,8044,NULL,NULL,NULL,'69a37c7d-af4f-4b5e-af42-e28e98ce873a',NULL,'queued',202,NULL,NULL,NULL,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1,1772442000000000,1772442000000000,NULL,NULL,1772442000000000,NULL,NULL,NULL,NULL,1772442000000000,NULL,NULL,'somebody',1,NULL,NULL,NULL);
INSERT INTO "sends" VALUES(2,'b31b2e6f-49c7-5c81-b2e5-e62f82bc259e','https://api.linqapp.com/api/partner','sha256:abababababababababababababababababababababababababababababababab',2,'550e8400-e29b-41d4-a716-446655440000','Ada Lovelace',0,'+12025550100','["+12025550111"]','file',NULL,'hello.wav',NULL,NULL,8044,NULL,NULL,NULL,NULL,NULL,'sending',NULL,NULL,NULL,NULL,NULL,1,1772442000000000,1772442000000000,-500,700,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'somebody',1,1772442020000000,NULL,1772442000000000);
CREATE INDEX sends_status ON sends (status);
CREATE INDEX sends_created ON sends (created_at);
CREATE INDEX sends_url ON sends (chat_id, url_base) WHERE url_base IS NOT NULL;
CREATE INDEX events_waiting_trace_id ON events (waits, trace_id) WHERE waits = 1;
CREATE INDEX events_waiting ON events (waits) WHERE waits = 1;
CREATE INDEX events_waiting_chat_id ON events (waits, chat_id) WHERE waits = 1;
CREATE INDEX events_send ON events (send_id);
CREATE INDEX events_loose ON events (message_id) WHERE send_id = '';
CREATE UNIQUE INDEX events_once ON events (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX events_waiting_message_id ON events (waits, message_id) WHERE waits = 1;
CREATE INDEX names_content ON names (content);
CREATE INDEX sends_message ON sends (message_id) WHERE message_id IS NOT NULL;
