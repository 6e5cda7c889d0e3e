//! Quantiles, and the table that is printed.

/// The value below which `share` of the samples lie; NaN if there are none.
pub fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

pub fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// One line of the table; it is printed at once, so that a run that is stopped has told what it knew.
pub fn row(figure: &str, aim: &str, values: &[(&str, String)]) {
    let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {value}")).collect();
    println!("| {figure} | {aim} | {} |", values.join("; "));
}
