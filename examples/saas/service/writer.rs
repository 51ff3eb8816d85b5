//! The "AI": a small writer without any intelligence, which stands for a costly call to a model. It
//! counts its calls, so that a test can tell that it was not called.

use std::sync::atomic::{AtomicU64, Ordering};

const SENTENCES: [&str; 4] = [
    "Every tenant keeps to its own district.",
    "A bailiff acts within the bailiwick and nowhere else.",
    "Whoever asks first and pays later owes more than money.",
    "What is not granted is not allowed.",
];

/// A text of the writer's.
pub struct Text {
    pub body: String,
    /// The number of its words, which the tenant pays for.
    pub words: u64,
}

/// The writer is out of order.
#[derive(Debug)]
pub struct OutOfOrder;

/// The writer.
#[derive(Default)]
pub struct Writer {
    calls: AtomicU64,
}

impl Writer {
    /// Writes about a title in whole sentences, at most `max_words` in all. It is out of order for
    /// the title "outage".
    pub async fn write(&self, title: &str, max_words: u64) -> Result<Text, OutOfOrder> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if title == "outage" {
            return Err(OutOfOrder);
        }

        let mut body = String::new();
        let mut words = 0;
        for sentence in SENTENCES.iter().cycle() {
            let more = sentence.split(' ').count() as u64;
            if words + more > max_words {
                break;
            }
            words += more;
            body.push_str(sentence);
            body.push(' ');
        }

        Ok(Text {
            body: body.trim_end().to_owned(),
            words,
        })
    }

    /// Returns how often it was called.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}
