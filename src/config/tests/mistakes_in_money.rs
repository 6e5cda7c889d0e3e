//! Mistakes in prices and ceilings, each with the whole complaint that it earns.

use super::{AGENT, complaints, good};
use crate::domain::money::{Ceiling, Ceilings, Price};

const MODEL: &str = "[[model]]\nname = \"m\"\nurl = \"https://m.example/v1\"\nmodel = \"x\"\n";

/// Of lines that follow a good model's four, before a good agent, with more lines after that one.
#[track_caller]
fn check(model: &str, agent: &str, expected: &[&str]) {
    let text = format!("{MODEL}{model}\n{AGENT}{agent}\n");
    assert_eq!(complaints(&text), expected, "about:\n{text}");
}

const PRICES: &str = "input_price = 0.15\noutput_price = 0.6";

#[test]
fn prices_and_ceilings_are_read_exactly() {
    let budget = "[budget]\nagent_cost_per_month = 20\nagent_tokens_per_month = 5000\n";
    let ceiling = "[ceiling]\ncurrency = \"EUR\"\ncost_per_day = 1.25\ntokens_per_month = 9000\n";
    let own = "[agent.budget]\nagent_cost_per_day = 0.5\n";
    let config = good(&format!("{budget}{ceiling}{MODEL}{PRICES}\n{AGENT}{own}"));
    assert_eq!(config.currency.to_string(), "EUR");
    assert_eq!(config.prices, [("m".to_owned(), Price { input_nanos: 150, output_nanos: 600 })]);
    let day = Ceiling { tokens: None, nanos: Some(1_250_000_000) };
    assert_eq!(config.all_agents, Ceilings { day, month: Ceiling { tokens: Some(9000), nanos: None } });
    let day = Ceiling { tokens: Some(2_000_000), nanos: Some(500_000_000) };
    let month = Ceiling { tokens: Some(5000), nanos: Some(20_000_000_000) };
    assert_eq!(config.agents[0].budget.agent, Ceilings { day, month });
}

#[test]
fn nothing_is_bounded_in_money_unless_it_is_said() {
    let config = good(&format!("{MODEL}{AGENT}"));
    assert_eq!((config.currency.to_string().as_str(), config.all_agents), ("USD", Ceilings::default()));
    assert!(config.prices.is_empty() && !config.agents[0].budget.agent.are_in_money());
}

#[test]
fn mistakes_in_prices_are_named() {
    check(
        "input_price = 0.15",
        "",
        &["1 model[0].output_price: is missing; write output_price = 0.60, beside input_price"],
    );
    check(
        "output_price = 0.6",
        "",
        &["1 model[0].input_price: is missing; write input_price = 0.15, beside output_price"],
    );
    check(
        "input_price = \"0.15\"\noutput_price = 1e2",
        "",
        &[
            "5 model[0].input_price: \"0.15\" is in quotes; write 0.15 without them",
            "6 model[0].output_price: 1e2 is not an amount of money; write it with digits and a point, such as 0.15",
        ],
    );
    check(
        "input_price = 0.0375\noutput_price = -1",
        "",
        &[
            "5 model[0].input_price: 0.0375 has more than three digits after the point; write 0.038",
            "6 model[0].output_price: -1 is not an amount of money; write it with digits and a point, such as 0.15",
        ],
    );
    check(
        "input_price = true\noutput_price = 100001",
        "",
        &[
            "5 model[0].input_price: true is not an amount of money; write a number such as 0.15",
            "6 model[0].output_price: 100001 is out of range; write an amount from 0 to 100000",
        ],
    );
}

#[test]
fn a_ceiling_of_cost_over_a_model_without_a_price_is_a_mistake() {
    let expected = "1 model[0].input_price: is missing, and there is a ceiling of cost for agent \"a\", which asks this \
                    model; write what a million tokens cost: input_price = 0.15 and output_price = 0.60, or 0 if they \
                    are free";
    for ceiling in ["agent.budget]\nagent_cost_per_day", "budget]\nagent_cost_per_month", "ceiling]\ncost_per_month"] {
        check("", &format!("[{ceiling} = 5"), &[expected]);
        good(&format!("{MODEL}{PRICES}\n{AGENT}[{ceiling} = 5\n"));
        good(
            &format!("{AGENT}[{ceiling} = 5\n{MODEL}", MODEL = MODEL.replace("m.example", "unused.example"))
                .replace("allowed_origins", "models = [\"builtin\"]\nallowed_origins"),
        );
    }
}

#[test]
fn a_ceiling_below_one_answer_is_a_mistake() {
    check(
        PRICES,
        "[agent.budget]\nagent_cost_per_day = 0.0004\nagent_cost_per_month = 0.00048",
        &[
            "12 agent[0].budget.agent_cost_per_day: 0.0004 leaves no room for one answer, which may cost 0.0005; raise it or \
           lower answer_tokens",
        ],
    );
    check(
        PRICES,
        "[ceiling]\ncost_per_day = 0\ntokens_per_month = 799",
        &[
            "12 ceiling.cost_per_day: 0.00 leaves no room for one answer, which may cost 0.0005; raise it or lower \
             answer_tokens",
            "13 ceiling.tokens_per_month: 799 leaves no room for one answer of 800 tokens; raise it or lower answer_tokens",
        ],
    );
    check(
        PRICES,
        "[agent.budget]\nagent_tokens_per_month = 10",
        &[
            "12 agent[0].budget.agent_tokens_per_month: 10 leaves no room for one answer: agent_tokens_per_month = 10 and \
           answer_tokens = 800; raise the first or lower the second",
        ],
    );
}

#[test]
fn mistakes_in_ceilings_are_named() {
    check(
        PRICES,
        "[ceiling]\ncurrency = \"eur\"\ncost_per_day = \"much\"\ntokens_per_day = 0",
        &[
            "12 ceiling.currency: \"eur\" is not a currency; write \"EUR\"",
            "13 ceiling.cost_per_day: \"much\" is not an amount of money; write a number such as 0.15",
            "14 ceiling.tokens_per_day: 0 is out of range; write a whole number from 1 to 1000000000000",
        ],
    );
    check(
        "",
        "[ceiling]\ncurrency = \"€\"\nagent_cost_per_day = 1",
        &[
            "11 ceiling.currency: \"€\" is not a currency; write its three letters, such as \"USD\" or \"EUR\"",
            "12 ceiling.agent_cost_per_day: is not a key of [ceiling]; did you mean cost_per_day?",
        ],
    );
}
