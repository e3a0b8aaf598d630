"""The names of URLs: one spelling, no known signature, a base without possible signatures, and the older names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linq_nb.model import is_old_name, url_names

HOST = "https://x.example"
S3 = (
    "X-Amz-Algorithm=A&X-Amz-Credential={0}&X-Amz-Date={0}&X-Amz-Expires=9&X-Amz-SignedHeaders=host&X-Amz-Signature={0}"
)
GCS = S3.replace("Amz", "Goog")
AZURE = "sv=2023-11-03&sr=b&sp=r&se={0}&sig={0}"
OSS = "x-oss-signature-version=OSS4&x-oss-credential=c&x-oss-date={0}&x-oss-expires=9&x-oss-signature={0}"
COS = "q-sign-algorithm=sha1&q-ak=k&q-sign-time={0}&q-key-time={0}&q-header-list=host&q-url-param-list=&q-signature={0}"
SIGNED = {
    "S3": S3,
    "S3 in small letters": S3.lower(),
    "S3 for a role": f"{S3}&X-Amz-Security-Token={{0}}&x-id=GetObject",
    "S3, v2": "AWSAccessKeyId=k&Expires={0}&Signature={0}",
    "Google": GCS,
    "Google, v2": "GoogleAccessId=me%40x.example&Expires={0}&Signature={0}",
    "CloudFront": "Expires={0}&Signature={0}&Key-Pair-Id=K",
    "CloudFront with SHA-256": "Expires={0}&Signature={0}&Key-Pair-Id=K&Hash-Algorithm=SHA256",
    "CloudFront by a policy": "Policy={0}&Signature={0}&Key-Pair-Id=K",
    "Azure": AZURE,
    "Azure with more": f"{AZURE}&st={{0}}&spr=https&sip=1.2.3.4",
    "Azure for a user": f"{AZURE}&skoid=1&sktid=2&skt={{0}}&ske={{0}}&sks=b&skv=2023-11-03",
    "Azure by a stored policy": "sv=2023-11-03&sr=b&si=mine&sig={0}",
    "Azure, of an account": "sv=2023-11-03&ss=b&srt=o&sp=r&se={0}&sig={0}",
    "OSS": OSS,
    "OSS for a role": f"{OSS}&x-oss-additional-headers=host&x-oss-security-token={{0}}",
    "OSS, v1": "OSSAccessKeyId=k&Expires={0}&Signature={0}&security-token={0}",
    "OSS, v2": "x-oss-signature-version=OSS2&x-oss-access-key-id=k&x-oss-expires={0}&x-oss-signature={0}",
    "COS": COS,
    "COS for a role": f"{COS}&x-cos-security-token={{0}}",
}


def name(url: str) -> str:
    return url_names(url).name


def base(url: str) -> str:
    return url_names(url).base


# --- one spelling ---


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ("HTTPS://X.EXAMPLE/a.m4a", f"{HOST}/a.m4a"),
        ("https://x.example:443/a.m4a", f"{HOST}/a.m4a"),
        ("https://x.example:/a.m4a", f"{HOST}/a.m4a"),
        ("https://x.example./a.m4a", f"{HOST}/a.m4a"),
        ("https://me:pw@x.example/a.m4a", f"{HOST}/a.m4a"),
        (f"{HOST}/a.m4a#t=1", f"{HOST}/a.m4a"),
        (f"{HOST}", f"{HOST}/"),
        (f"{HOST}/a.m4a?", f"{HOST}/a.m4a"),
        (f"{HOST}/%61%2Em4a", f"{HOST}/a.m4a"),
        (f"{HOST}/a%2fb%c3%a4", f"{HOST}/a%2Fb%C3%A4"),
        (f"{HOST}/ä~.m4a", f"{HOST}/%C3%A4%7E.m4a"),
        (f"{HOST}/x/../y/./a.m4a", f"{HOST}/y/a.m4a"),
        (f"{HOST}/%2e%2E/a.m4a", f"{HOST}/a.m4a"),
        (f"{HOST}/a/..", f"{HOST}/"),
        (f"{HOST}/100%", f"{HOST}/100%25"),
        (f"{HOST}/a?b=%7e%2f", f"{HOST}/a?b=~%2F"),
        (f"{HOST}/a?b=1&c=2", f"{HOST}/a?c=2&b=1"),
        (f"{HOST}/a?b=1&c=2&b=3", f"{HOST}/a?b=1&b=3&c=2"),
        (f"{HOST}/a?%62=1&&", f"{HOST}/a?b=1"),
        ("https://bücher.example/a", "https://XN--bcher-kva.example/a"),
        ("https://BÜCHER。example/a", "https://bücher.example/a"),
        ("https://[2001:DB8:0:0::1]/a", "https://[2001:db8::1]:443/a"),
    ],
)
def test_one_url_in_two_spellings_has_one_name(first: str, other: str) -> None:
    assert name(first) == name(other)
    assert base(first) == base(other)


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ("/a?id=1", "/a?id=2"),
        ("/a?id=1", "/a"),
        ("/a", "/A"),
        ("/a", "/a/"),
        ("/a/b", "/a%2Fb"),
        ("/a//b", "/a/b"),
        ("/?file=a", "/?file="),
        ("/?file=a", "/?File=a"),
        ("/?file=1&file=2", "/?file=2&file=1"),
        ("/?file=a+b", "/?file=a%20b"),
        ("/?file=a&b", "/?file=a%26b"),
        ("/a?lang=en", "/a?lang=de"),
        ("/a?versionId=1", "/a?versionId=2"),
        ("/a?file=4f6c1de2a8b94e07bb31aa0c5d7e9f12", "/a?file=5f6c1de2a8b94e07bb31aa0c5d7e9f12"),
        ("/a?track=7b2e9c44-0d15-4b3c-8a3f-1f0a2c9d8e77", "/a?track=8b2e9c44-0d15-4b3c-8a3f-1f0a2c9d8e77"),
        ("/a?of=7b2e9c44-0d15-4b3c-8a3f-1f0a2c9d8e77", "/a?of=8b2e9c44-0d15-4b3c-8a3f-1f0a2c9d8e77"),
        ("/a?date=2026-03-01", "/a?date=2026-03-02"),
        ("/a?t=30", "/a?t=60"),
        ("/a?title=On%20Air", "/a?title=Off%20Air"),
        ("/a?x-oss-process=audio%2Fcut", "/a?x-oss-process=audio%2Fjoin"),
    ],
)
def test_parameters_that_distinguish_files_are_in_the_name_and_the_base(first: str, other: str) -> None:
    assert name(HOST + first) != name(HOST + other)
    assert base(HOST + first) != base(HOST + other)


@pytest.mark.parametrize("other", ["https://y.example/a", "https://x.example:8443/a", "http://x.example/a"])
def test_another_place_is_another_name(other: str) -> None:
    assert name(f"{HOST}/a") != name(other)


@settings(deadline=None, database=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
def test_any_path_and_query_has_a_name_that_is_its_own_spelling(path: str, query: str) -> None:
    names = url_names(f"{HOST}/{path}?{query}")
    assert names.name.removeprefix("uri:").isascii()
    assert url_names(names.name.removeprefix("uri:").partition("#")[0]).name == names.name.partition("#")[0]


# --- signatures ---


@pytest.mark.parametrize("query", SIGNED.values(), ids=SIGNED)
def test_the_whole_signature_of_a_known_signer_is_not_part_of_the_name(query: str) -> None:
    for more in ("", "&id=7", "&response-content-disposition=attachment"):
        first, again = (f"{HOST}/a?{query.format(value)}{more}" for value in ("17aa", "18bb"))
        plain = f"{HOST}/a?{more}"
        assert name(first) == name(again) == name(plain)
        assert base(first) == base(plain)
        assert name(first) != name(f"{HOST}/a?id=8")
    assert name(f"{HOST}/a?{query.format(1)}&id=7") != name(f"{HOST}/a?{query.format(1)}")


@pytest.mark.parametrize("query", SIGNED.values(), ids=SIGNED)
def test_a_signature_that_lacks_a_parameter_or_has_one_twice_may_sign(query: str) -> None:
    last = query.split("&")[0]
    for part in (query.replace(f"{last}&", ""), f"{query}&{last}"):
        first, again = (f"{HOST}/a?{part.format(value)}" for value in ("17aa", "18bb"))
        assert name(first) != name(again)
        assert base(first) == base(again) == base(f"{HOST}/a")


@pytest.mark.parametrize("query", [AZURE.replace("sp=r", "sp={0}"), AZURE.replace("sr=b", "sr={0}")])
def test_a_value_that_no_signer_writes_is_no_signature(query: str) -> None:
    anna, bob = (f"{HOST}/a?{query.format(value)}" for value in ("anna", "bob"))
    assert name(anna) != name(bob)
    assert base(anna) == base(bob)


def test_a_parameter_of_another_signer_does_not_hide_a_signature() -> None:
    first, again = (f"{HOST}/a?sp=anna&{S3.format(value)}" for value in ("17aa", "18bb"))
    assert name(first) == name(again) == name(f"{HOST}/a?sp=anna")


MAY_SIGN = """
    sp=anna st=1 token=1 exp=1 auth=1 policy=1 q-ak=1 access_token=1 accessToken=1 jwt=1 key=1 KEY=1 sign=1 verify=1
    signature=1 expires=1 hmac=1 hdnts=exp%3D1 hdnea=1 auth_key=1 wsSecret=1 wsTime=5f5e100a txTime=5f5e100a md5=1
    X-Amz-Signature=1 X-Tos-Signature=1 X-Tos-Date=1 api_key=1 apikey=1 session_id=1 PHPSESSID=1 nonce=1 ts=1 sig=1
    e=1700000000 t=1700000000 _=1700000000123 s=d41d8cd98f00b204e9800998ecf8427e h=Zm9vYmFyYmF6MTIzNDU2Nzg5MA
    d41d8cd98f00b204e9800998ecf8427e
"""


@pytest.mark.parametrize("part", MAY_SIGN.split())
def test_a_parameter_that_may_sign_is_in_the_name_and_not_in_the_base(part: str) -> None:
    signed = f"{HOST}/a?id=7&{part}"
    assert name(signed) != name(f"{HOST}/a?id=7")
    assert base(signed) == base(f"{HOST}/a?id=7")
    assert base(signed) != base(f"{HOST}/a?id=8")


def test_no_value_of_a_query_is_in_the_names() -> None:
    names = url_names(f"{HOST}/a?token=s3cr3t&id=s3cr3t&s3cr3t0123456789abcdef&1s3cr3t0123456789abcdef=")
    assert "s3cr3t" not in repr(names)
    assert names.may_sign == ("token",)


# --- names of older versions ---


@pytest.mark.parametrize(
    ("query", "old"),
    [
        ("", "url:https://x.example/a"),
        ("?sp=anna", "url:https://x.example/a"),
        (f"?{S3}", "url:https://x.example/a"),
        ("?id=2&token=1", "url:https://x.example/a#91a39414d5dba5f2"),
        ("?b=1&a=2", "url:https://x.example/a#948b5c658af7af9f"),
    ],
)
def test_the_name_by_the_old_rule_stays_as_it_was(query: str, old: str) -> None:
    names = url_names(f"{HOST}/a{query}")
    assert names.old_name == old
    assert is_old_name(old)
    assert not is_old_name(names.name)
