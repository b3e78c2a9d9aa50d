//! The mark that every bubble carries: who wrote it to whom, and which one of theirs it is. An answer that repeats it
//! tells what was answered.

use std::fmt;

/// One conversation: a bot and a contact. The same contact writes to every bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Customer {
    /// Which bot.
    pub bot: u32,
    /// Which contact.
    pub contact: u32,
}

impl Customer {
    /// The n-th of those who write to `bots` bots.
    #[must_use]
    pub fn nth(n: u32, bots: u32) -> Self {
        let bots = bots.max(1);
        Self {
            bot: n % bots,
            contact: n / bots,
        }
    }

    /// The bot's id: the instance's name at the gateway.
    #[must_use]
    pub fn bot_id(self) -> String {
        format!("load-{}", self.bot)
    }

    /// The contact's phone number.
    #[must_use]
    pub fn phone(self) -> String {
        format!("{PHONES}{:08}", self.contact)
    }

    /// Who has this number at this bot, if it is one of ours.
    #[must_use]
    pub fn at(bot: u32, phone: &str) -> Option<Self> {
        let contact = phone.strip_prefix(PHONES)?.parse().ok()?;
        let customer = Self { bot, contact };
        (customer.phone() == phone).then_some(customer)
    }
}

const PHONES: &str = "62811";
/// How the ids of WhatsApp's web clients begin.
const MIDS: &str = "3EB0";

impl fmt::Display for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}c{}", self.bot, self.contact)
    }
}

/// One bubble: the conversation, and its number in it, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Whose.
    pub customer: Customer,
    /// Which of theirs.
    pub number: u32,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}n{}", self.customer, self.number)
    }
}

impl Token {
    /// Reads `b1c22n333`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let (bot, rest) = word.strip_prefix('b')?.split_once('c')?;
        let (contact, number) = rest.split_once('n')?;
        let token = Self {
            customer: Customer {
                bot: bot.parse().ok()?,
                contact: contact.parse().ok()?,
            },
            number: number.parse().ok()?,
        };
        // One way to write it only: no signs, no leading zeros.
        (token.to_string() == word).then_some(token)
    }

    /// The message id that WhatsApp gave the bubble.
    #[must_use]
    pub fn mid(self) -> String {
        format!("{MIDS}{}", self.to_string().to_uppercase())
    }

    /// The bubble of a message id.
    #[must_use]
    pub fn of_mid(mid: &str) -> Option<Self> {
        Self::parse(&mid.strip_prefix(MIDS)?.to_lowercase())
    }

    /// All of a text, in its order.
    pub fn all(text: &str) -> impl Iterator<Item = Self> {
        words(text).filter_map(Self::parse)
    }
}

/// The number of the model's call that an answer comes from: its word `p17`.
#[must_use]
pub fn call_number(text: &str) -> Option<usize> {
    words(text).find_map(|word| word.strip_prefix('p')?.parse().ok())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(bot: u32, contact: u32, number: u32) -> Token {
        Token {
            customer: Customer { bot, contact },
            number,
        }
    }

    #[test]
    fn a_text_names_its_tokens_in_order_whatever_is_around_them() {
        let text = "Ongkir berapa? b0c1n2\nhalo,b2c30n400. banyak b1c2 b01c1n1 xb1c1n1";
        let found: Vec<Token> = Token::all(text).collect();
        assert_eq!(found, [token(0, 1, 2), token(2, 30, 400)]);
        assert_eq!(Token::all("Maaf Kak, tim kami membalas.").count(), 0);
    }

    #[test]
    fn a_token_that_was_cut_off_is_nobody_elses() {
        let whole = token(1, 23, 456).to_string();
        for end in 0..whole.len() {
            let cut: String = whole.chars().take(end).collect();
            if let Some(read) = Token::parse(&cut) {
                assert_eq!(
                    read.customer,
                    Customer {
                        bot: 1,
                        contact: 23
                    },
                    "{cut}"
                );
            }
        }
    }

    #[test]
    fn a_message_id_names_its_bubble() {
        let bubble = token(2, 10, 35);
        assert_eq!(bubble.mid(), "3EB0B2C10N35");
        assert_eq!(Token::of_mid(&bubble.mid()), Some(bubble));
        assert_eq!(Token::of_mid("3EB0F00D"), None);
    }

    #[test]
    fn the_same_number_writes_to_every_bot_as_another_customer() {
        let all: Vec<Customer> = (0..6).map(|n| Customer::nth(n, 3)).collect();
        assert_eq!(all[0].phone(), all[2].phone());
        assert_ne!(all[0].bot_id(), all[2].bot_id());
        for customer in all {
            assert_eq!(
                Customer::at(customer.bot, &customer.phone()),
                Some(customer)
            );
        }
        assert_eq!(Customer::at(0, "6281199"), None);
        assert_eq!(Customer::at(0, "4915112345678"), None);
    }

    #[test]
    fn an_answer_says_which_call_it_comes_from() {
        assert_eq!(call_number("Jawaban p17: b0c1n2"), Some(17));
        assert_eq!(call_number("Maaf Kak, sistem penuh."), None);
    }
}
