//! What a page looks like and how it is walked through with the keyboard, as the browser measures it.

use serde_json::Value;

use super::Devtools;

/// Measures that a browser takes.
const LOOKS: &str = include_str!("looks.js");
/// More stops than any page has.
const MOST_STOPS: usize = 1000;
/// The least contrast of what is no text, WCAG 2.2, 1.4.11.
const CONTRAST: f64 = 3.0;

/// Where the keyboard stops.
#[derive(Debug)]
struct Stop {
    name: String,
    top: f64,
    bottom: f64,
    left: f64,
}

impl Devtools {
    fn measure(&self, what: &str) -> Value {
        self.evaluate(&format!("{}.{what}()", LOOKS.trim_end()))
    }

    /// Asserts that all text on the page can be read, that nothing reaches out of it to the side, and that the labels of its
    /// charts keep apart. Returns how many labels there are.
    ///
    /// # Panics
    /// When something is amiss.
    #[track_caller]
    pub fn assert_legible(&self, page: &str) -> u64 {
        assert_eq!(self.measure("faint"), Value::Array(Vec::new()), "{page}: text that is faint");
        assert_eq!(self.measure("overflow"), 0, "{page}: pixels beyond the window");
        let labels = self.measure("labels");
        assert_eq!(labels["touching"], Value::Array(Vec::new()), "{page}: labels");
        labels["count"].as_u64().expect("a number")
    }

    /// Goes through the page with the Tab key, from its beginning to its end. Asserts that it stops at everything that can be
    /// used, in the order of reading, and that each time one sees where. Returns the stops.
    ///
    /// # Panics
    /// When something is amiss.
    #[track_caller]
    pub fn walk(&self, page: &str) -> Vec<String> {
        let mut stops: Vec<Stop> = Vec::new();
        for _ in 0..MOST_STOPS {
            self.press("Tab", false);
            let focus = self.measure("focus");
            if focus.is_null() {
                break;
            }
            let number = |name: &str| focus[name].as_f64().expect("a number");
            let name = focus["name"].as_str().expect("a name").to_owned();
            assert_eq!(focus["isSeen"], true, "{page}: {name} has the focus and is out of sight");
            assert!(number("outline") >= 2.0, "{page}: {name} has the focus and does not look so: {focus}");
            assert!(number("contrast") >= CONTRAST, "{page}: the outline of {name} is faint: {focus}");
            let stop = Stop { name, top: number("top"), bottom: number("bottom"), left: number("left") };
            // A date has several parts, each of which is a stop.
            if stops.last().is_none_or(|last| last.name != stop.name || last.top.total_cmp(&stop.top).is_ne())
            {
                stops.push(stop);
            }
        }
        let all = self.measure("stops").as_u64().expect("a number");
        assert_eq!(stops.len() as u64, all, "{page}: {stops:#?}");
        // The first leads to the content and lies over what it leads past.
        for pair in stops[1..].windows(2) {
            let (one, next) = (&pair[0], &pair[1]);
            let is_below = next.bottom > one.bottom + 1.0 && next.top > one.top + 1.0;
            let is_beside = next.left > one.left && next.bottom > one.top;
            assert!(is_below || is_beside, "{page}: {next:?} comes after {one:?}");
        }
        stops.into_iter().map(|stop| stop.name).collect()
    }
}
