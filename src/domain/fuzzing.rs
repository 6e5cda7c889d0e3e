//! What must hold for any text that is taken for an origin. Panics if it does not.

use url::Url;

use super::origin::{AllowedOrigins, Origin, Received};

pub(crate) fn origin(text: &str) {
    if let Ok(origin) = Origin::parse(text) {
        normal(&origin);
        assert_eq!(Origin::parse(&text.to_ascii_uppercase()).as_ref(), Ok(&origin), "case made a difference");
        assert_eq!(Received::parse(text), Received::Origin(origin.clone()));
        allowed(&origin);
    }
    // A URL that `url` reads too has the origin that `url` says: no other host is smuggled in.
    if let Ok(origin) = Origin::of_url(text) {
        normal(&origin);
        if let Ok(url) = Url::parse(text)
            && url.origin().is_tuple()
        {
            assert_eq!(origin.as_str(), url.origin().ascii_serialization(), "{text:?}");
        }
    }
}

/// There is one way to write it, and nothing beside scheme, host and port is in it.
fn normal(origin: &Origin) {
    let text = origin.as_str();
    assert_eq!(Origin::parse(text).as_ref(), Ok(origin), "{text} is not its own normal form");
    assert_eq!(Origin::of_url(&format!("{text}/a/b?c=https://d.example/#e@f")).as_ref(), Ok(origin));
    let host = text.split_once("://").map_or("", |(_, host)| host);
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte);
    assert!(!host.is_empty() && host.bytes().all(is_plain), "{text}");
}

/// It is allowed where it is listed, and its neighbours are not.
fn allowed(origin: &Origin) {
    let list = AllowedOrigins { exact: vec![origin.clone()], ..AllowedOrigins::default() };
    assert!(list.allow(&Received::Origin(origin.clone()), &[]));
    for neighbour in
        [format!("{origin}.evil.example"), format!("{origin}a"), format!("a{origin}"), format!("{origin}/")]
    {
        assert!(!list.allow(&Received::parse(&neighbour), &[]), "{neighbour}");
    }
}
