//! What an editor says to a language server, and what must come back.

use std::io;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender};
use serde_json::{Value, json};

use crate::content_length::{Receive, Transmit};
use crate::limit::Limit;

/// A language with a server, and documents in it.
#[derive(Debug)]
pub(crate) struct Language {
    pub(crate) server: &'static str,
    pub(crate) arguments: &'static [&'static str],
    /// What its name in the answer to `initialize` contains.
    pub(crate) name: &'static str,
    /// What it says on its standard error at last.
    pub(crate) farewell: &'static str,
    pub(crate) language: &'static str,
    pub(crate) extension: &'static str,
    /// A line with a flaw, given its number.
    pub(crate) flawed: fn(usize) -> String,
    /// What the server says of such a line.
    pub(crate) complaint: fn(usize) -> String,
    /// A line without a flaw that the server formats differently, and how it does.
    pub(crate) crooked: fn(usize) -> String,
    pub(crate) straight: fn(usize) -> String,
}

/// An editor that talks to a server. Messages go out through a channel, since both sides may be
/// busy sending at once.
pub(crate) struct Editor<R> {
    incoming: R,
    outgoing: UnboundedSender<Value>,
    last_request: i64,
    /// Notifications about documents that the test has not asked for yet.
    diagnostics: Vec<Value>,
    limit: Limit,
}

/// Why a conversation did not go as it must.
pub(crate) type Failure = String;

/// Sends what comes through the channel until that is closed, then lets the server read the end of
/// file.
pub(crate) async fn send_all(mut wire: impl Transmit, mut messages: UnboundedReceiver<Value>) -> io::Result<()> {
    while let Some(message) = messages.next().await {
        wire.transmit(message).await?;
    }
    wire.close().await
}

impl<R: Receive> Editor<R> {
    pub(crate) fn new(incoming: R, outgoing: UnboundedSender<Value>, limit: Limit) -> Self {
        Self { incoming, outgoing, last_request: 0, diagnostics: Vec::new(), limit }
    }

    /// From the first word to the end of file on the server's standard output.
    pub(crate) async fn converse(mut self, language: &Language) -> Result<(), Failure> {
        self.greet(language).await?;
        self.a_flaw_is_named(language).await?;
        self.many_flaws_in_many_documents_are_named(language).await?;
        self.a_crooked_document_is_straightened(language).await?;
        self.leave().await
    }

    async fn greet(&mut self, language: &Language) -> Result<(), Failure> {
        let capabilities = json!({ "textDocument": { "publishDiagnostics": { "versionSupport": true } } });
        let parameters = json!({ "processId": null, "rootUri": null, "capabilities": capabilities });
        let answer = self.request("initialize", parameters).await?;
        let name = answer["serverInfo"]["name"].as_str().unwrap_or_default();
        expect(name.contains(language.name), || format!("the server is not {}: {answer}", language.name))?;
        self.notify("initialized", json!({}));
        Ok(())
    }

    async fn a_flaw_is_named(&mut self, language: &Language) -> Result<(), Failure> {
        let name = format!("flaw.{}", language.extension);
        self.open(language, &name, &(language.flawed)(7));
        let found = self.diagnostics_of(&name).await?;
        let named =
            found.iter().any(|one| one["message"].as_str().is_some_and(|it| it.contains(&(language.complaint)(7))));
        expect(named, || format!("the flaw is not named: {found:?}"))
    }

    /// The documents and what the server says of them are longer than a pipe holds, and it says it
    /// while they still come.
    async fn many_flaws_in_many_documents_are_named(&mut self, language: &Language) -> Result<(), Failure> {
        const LINES: usize = 4000;
        let text: String = (0..LINES).map(language.flawed).collect();
        let names: Vec<_> = (0..4).map(|number| format!("flaws{number}.{}", language.extension)).collect();
        for name in &names {
            self.open(language, name, &text);
        }
        for name in &names {
            let found = self.diagnostics_of(name).await?;
            expect(found.len() == LINES, || format!("{} flaws of {LINES} in {name}", found.len()))?;
            for (line, flaw) in found.iter().enumerate() {
                let (message, complaint) = (flaw["message"].as_str().unwrap_or_default(), (language.complaint)(line));
                let at = &flaw["range"]["start"]["line"];
                expect(message.contains(&complaint) && at == line, || format!("flaw {line} of {name} is {flaw}"))?;
            }
        }
        Ok(())
    }

    async fn a_crooked_document_is_straightened(&mut self, language: &Language) -> Result<(), Failure> {
        const LINES: usize = 3000;
        let name = format!("crooked.{}", language.extension);
        let text: String = (0..LINES).map(language.crooked).collect();
        self.open(language, &name, &text);
        let options = json!({ "tabSize": 4, "insertSpaces": true });
        let parameters = json!({ "textDocument": { "uri": address(&name) }, "options": options });
        let edits = self.request("textDocument/formatting", parameters).await?;
        let straight: String = (0..LINES).map(language.straight).collect();
        let edited = edit(text, &edits).ok_or_else(|| format!("no edits: {edits}"))?;
        expect(edited == straight, || format!("not straight: {edited:.200}"))
    }

    async fn leave(mut self) -> Result<(), Failure> {
        let answer = self.request("shutdown", Value::Null).await?;
        expect(answer.is_null(), || format!("shutdown is answered with {answer}"))?;
        self.notify("exit", Value::Null);
        self.outgoing.close_channel();
        self.limit.doing("waiting for the end of file on the server's standard output");
        while let Some(message) = self.incoming.receive().await.map_err(|error| error.to_string())? {
            expect(message.get("id").is_none(), || format!("after exit comes {message}"))?;
        }
        Ok(())
    }

    fn open(&self, language: &Language, name: &str, text: &str) {
        let (uri, language) = (address(name), language.language);
        let document = json!({ "uri": uri, "languageId": language, "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn notify(&self, method: &str, parameters: Value) {
        self.say(json!({ "jsonrpc": "2.0", "method": method, "params": parameters }));
    }

    fn say(&self, mut message: Value) {
        // No parameters are none at all.
        message.as_object_mut().expect("an object").retain(|name, value| name != "params" || !value.is_null());
        // It fails once sending failed, of which the task that sends will tell.
        let _ = self.outgoing.unbounded_send(message);
    }

    /// Asks, and waits for the answer.
    async fn request(&mut self, method: &str, parameters: Value) -> Result<Value, Failure> {
        self.last_request += 1;
        self.say(json!({ "jsonrpc": "2.0", "id": self.last_request, "method": method, "params": parameters }));
        self.limit.doing(format!("waiting for the answer to {method}"));
        loop {
            let mut message = self.hear().await?;
            if message.get("method").is_some() {
                self.note(message);
            } else {
                let for_this = message["id"] == self.last_request && message.get("result").is_some();
                expect(for_this, || format!("instead of an answer to {method} comes {message}"))?;
                return Ok(message["result"].take());
            }
        }
    }

    /// What the server says of a document, in the order of the lines.
    async fn diagnostics_of(&mut self, name: &str) -> Result<Vec<Value>, Failure> {
        self.limit.doing(format!("waiting for diagnostics of {name}"));
        let is_of_it = |message: &Value| message["params"]["uri"].as_str().is_some_and(|uri| uri.ends_with(name));
        let mut message = loop {
            if let Some(place) = self.diagnostics.iter().position(is_of_it) {
                break self.diagnostics.remove(place);
            }
            let message = self.hear().await?;
            expect(message.get("method").is_some(), || format!("an answer that nobody asked for: {message}"))?;
            self.note(message);
        };
        let mut found = message["params"]["diagnostics"].as_array_mut().map(std::mem::take).unwrap_or_default();
        found.sort_by_key(|flaw| flaw["range"]["start"]["line"].as_u64());
        Ok(found)
    }

    fn note(&mut self, message: Value) {
        if message["method"] == "textDocument/publishDiagnostics" {
            self.diagnostics.push(message);
        }
    }

    /// The next message; a question of the server's is answered with nothing.
    async fn hear(&mut self) -> Result<Value, Failure> {
        let message = self.incoming.receive().await.map_err(|error| format!("receiving: {error}"))?;
        let message = message.ok_or("the server ended before its time")?;
        if let (Some(id), Some(_)) = (message.get("id"), message.get("method")) {
            self.say(json!({ "jsonrpc": "2.0", "id": id, "result": null }));
        }
        Ok(message)
    }
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// The address of a document that only exists here.
fn address(name: &str) -> String {
    let root = if cfg!(windows) { "file:///C:/talk/" } else { "file:///talk/" };
    format!("{root}{name}")
}

/// Applies the edits of a server, which do not overlap, to a text without any but ASCII characters.
fn edit(mut text: String, edits: &Value) -> Option<String> {
    let starts: Vec<_> = [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let place = |position: &Value| {
        let line = usize::try_from(position["line"].as_u64()?).ok()?;
        let character = usize::try_from(position["character"].as_u64()?).ok()?;
        Some(starts.get(line)? + character)
    };
    let mut places = Vec::new();
    for edit in edits.as_array()? {
        places.push((place(&edit["range"]["start"])?, place(&edit["range"]["end"])?, edit["newText"].as_str()?));
    }
    // From the back, so that the places before stay where they are.
    places.sort_by_key(|&(start, _, _)| std::cmp::Reverse(start));
    for (start, end, new) in places {
        text.replace_range(start..end, new);
    }
    Some(text)
}
