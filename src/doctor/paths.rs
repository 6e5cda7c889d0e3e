//! Where the widget may not be: the rule of `src/widget/paths.js`, by which the browser goes.

/// Whether the pattern fits the whole path; `*` in it stands for any run of characters.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    // There is always a first part.
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether it fits every path that a page can have.
pub(super) fn matches_all(pattern: &str) -> bool {
    let stars = pattern.strip_prefix('/').unwrap_or(pattern);
    !stars.is_empty() && stars.bytes().all(|byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_whole_paths_as_in_the_browser() {
        for (pattern, path, expected) in [
            ("/checkout*", "/checkout", true),
            ("/checkout*", "/checkout/pay", true),
            ("/checkout*", "/shop/checkout", false),
            ("/checkout", "/checkout/", false),
            ("*/pay", "/a/b/pay", true),
            ("*/pay", "/a/b/pay/", false),
            ("/a*b*c", "/abc", true),
            ("/a*b*c", "/a-b-b-c", true),
            ("/a*b*c", "/a-c-b", false),
            ("/a*a", "/a", false),
            ("/a.b", "/axb", false),
            ("/", "/", true),
            ("/", "/a", false),
            ("*", "/", true),
            ("/*", "/", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn what_fits_every_path_is_known() {
        for (pattern, expected) in
            [("*", true), ("/*", true), ("/**", true), ("/", false), ("/a*", false), ("*/", false), ("*a", false)]
        {
            assert_eq!(matches_all(pattern), expected, "{pattern}");
        }
    }
}
