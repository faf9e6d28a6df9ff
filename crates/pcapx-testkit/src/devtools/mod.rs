//! A real browser that is driven: keys pressed, text typed, what it shows measured.
//!
//! ```text
//! test ─► a command as JSON, ended by NUL ─► pipe, fd 3 of the browser
//! test ◄─ answers and events ◄─ a thread that reads ◄─ pipe, fd 4
//! ```
//!
//! It speaks the browser's protocol for developers' tools over `--remote-debugging-pipe`: no port, and nothing to be installed but the
//! browser.

mod looks;

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{PATIENCE, poll};
use crate::tool::Tool;

/// One browser with one page.
#[derive(Debug)]
pub struct Devtools {
    child: Child,
    commands: RefCell<ChildStdin>,
    messages: Receiver<Value>,
    number: Cell<u64>,
    session: String,
    complaints: RefCell<Vec<String>>,
    loads: Cell<u64>,
    _profile: TempDir,
}

impl Devtools {
    /// Starts `browser`, which keeps its files in `folder`.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(browser: &Tool, folder: &Path) -> Self {
        let profile = tempfile::tempdir_in(folder).expect("a folder for the browser");
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#, "sh"]).arg(browser.path());
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--disable-extensions", "--remote-debugging-pipe"]);
        command.arg(format!("--user-data-dir={}", profile.path().join("profile").display()));
        command.arg("about:blank").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a browser that runs");
        let (commands, answers) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("the browser speaks JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut own = Self {
            child,
            commands: RefCell::new(commands),
            messages,
            number: Cell::new(0),
            session: String::new(),
            complaints: RefCell::default(),
            loads: Cell::new(0),
            _profile: profile,
        };
        let target = own.ask("Target.createTarget", &json!({"url": "about:blank"}));
        let attached = json!({"targetId": target["targetId"], "flatten": true});
        let session = own.ask("Target.attachToTarget", &attached)["sessionId"].clone();
        session.as_str().expect("a session").clone_into(&mut own.session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            own.ask(&format!("{domain}.enable"), &json!({}));
        }
        own
    }

    /// Makes the window so wide, on paper that is `"light"` or `"dark"`.
    pub fn look(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", &size);
        let feature = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", &feature);
    }

    /// Opens `url` and waits until it is there.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn open(&self, url: &str) {
        let before = self.loads.get();
        self.ask("Page.navigate", &json!({"url": url}));
        let is_loaded = || {
            self.evaluate("0");
            (self.loads.get() > before).then_some(())
        };
        assert!(poll(PATIENCE, is_loaded).is_some(), "{url} does not load");
    }

    /// The value of a JavaScript expression in the page; a promise's when it is there.
    ///
    /// # Panics
    /// When it throws.
    #[track_caller]
    pub fn evaluate(&self, expression: &str) -> Value {
        let mut answer = self.ask(
            "Runtime.evaluate",
            &json!({"expression": expression, "returnByValue": true, "awaitPromise": true}),
        );
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// Waits until a JavaScript expression is true.
    ///
    /// # Panics
    /// When it does not become so.
    #[track_caller]
    pub fn wait_for(&self, expression: &str) {
        let is_so = || (self.evaluate(expression) == Value::Bool(true)).then_some(());
        let page = || self.evaluate("document.body.innerText");
        assert!(poll(PATIENCE, is_so).is_some(), "{expression} does not become true: {}", page());
    }

    /// Presses a key: `Tab`, `Enter` or `Backspace`, with the shift key if `shift`.
    ///
    /// # Panics
    /// When it knows no such key.
    pub fn press(&self, key: &str, shift: bool) {
        let (code, text) = match key {
            "Tab" => (9, None),
            "Enter" => (13, Some("\r")),
            "Backspace" => (8, None),
            _ => panic!("{key} is not a key that can be pressed"),
        };
        let event = |kind: &str| {
            let mut event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
                "modifiers": if shift { 8 } else { 0 }});
            if let Some(text) = text.filter(|_| kind == "keyDown") {
                event["text"] = json!(text);
            }
            event
        };
        let down = if text.is_some() { "keyDown" } else { "rawKeyDown" };
        self.ask("Input.dispatchKeyEvent", &event(down));
        self.ask("Input.dispatchKeyEvent", &event("keyUp"));
    }

    /// Types into what has the focus, a character at a time.
    pub fn type_text(&self, text: &str) {
        for character in text.chars() {
            self.ask("Input.insertText", &json!({"text": character.to_string()}));
        }
    }

    /// A picture of the whole page.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn picture(&self, path: &Path) {
        let shot = self.ask("Page.captureScreenshot", &json!({"captureBeyondViewport": true}));
        let picture = STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(path, picture).expect("a folder that can be written");
    }

    /// What its console said since the last time: what a page refused, or what went wrong in it.
    pub fn complaints(&self) -> Vec<String> {
        self.evaluate("0");
        self.complaints.take()
    }

    /// Sends a command and waits for its answer.
    #[track_caller]
    fn ask(&self, method: &str, params: &Value) -> Value {
        self.number.set(self.number.get() + 1);
        let number = self.number.get();
        let mut command = json!({"id": number, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.borrow_mut().write_all(&bytes).expect("a browser that listens");
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left);
            let mut message = message.unwrap_or_else(|e| panic!("{method} is not answered: {e}"));
            if message["id"] == number {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.note(&message);
        }
    }

    fn note(&self, event: &Value) {
        let params = &event["params"];
        let complaint = match event["method"].as_str() {
            Some("Page.loadEventFired") => {
                self.loads.set(self.loads.get() + 1);
                return;
            }
            Some("Runtime.consoleAPICalled") => &params["args"],
            Some("Runtime.exceptionThrown") => &params["exceptionDetails"],
            Some("Log.entryAdded") => &params["entry"]["text"],
            _ => return,
        };
        self.complaints.borrow_mut().push(complaint.to_string());
    }
}

impl Drop for Devtools {
    fn drop(&mut self) {
        // It ends when its pipe does; one that does not is ended.
        let mut bytes = json!({"id": 0, "method": "Browser.close"}).to_string().into_bytes();
        bytes.push(0);
        let _ = self.commands.borrow_mut().write_all(&bytes);
        if poll(Duration::from_secs(5), || self.child.try_wait().ok().flatten()).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
