//! The XML form of the option tree.
//!
//! ```xml
//! <configuration version="1">
//!   <role>
//!     <group name="channel" id="tcp_local">
//!       <option name="maxjobs" type="integer">7</option>
//!       <option name="single_sys" type="novalue"/>
//!     </group>
//!     <group name="rewrite">
//!       <option name="rule" type="rule"><pattern>.</pattern><template>$U%$H@tcp-daemon</template></option>
//!     </group>
//!   </role>
//! </configuration>
//! ```
//!
//! An option that repeats is written once for each value. A reader refuses what it does not
//! know, with the line: the files are written by programs, so an odd one is a damaged one.

use super::name::{Path, Scope, Segment};
use super::schema::known;
use super::tree::{Content, File, Setting, Tree};
use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

/// The version of the form.
const VERSION: &str = "1";
/// Groups may lie this deep.
const DEEPEST: usize = 8;
/// Words of the `type` attribute.
const TYPES: [&str; 7] = [
    "novalue", "integer", "real", "string", "password", "list", "rule",
];

/// Why a text is no option tree, with the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct XmlError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub kind: XmlErrorKind,
}

/// What is wrong with the XML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlErrorKind {
    /// No well-formed XML; the words are the parser's.
    #[error("{0}")]
    Syntax(String),
    /// An element where it does not belong.
    #[error("unexpected element <{0}>")]
    Element(String),
    /// Text between elements.
    #[error("unexpected text {0:?}")]
    Text(String),
    /// An attribute is missing or not one of those allowed.
    #[error("missing or bad attribute {0}")]
    Attribute(&'static str),
    /// A typed value that is not of its type.
    #[error("{name}: expected {kind}, found {text:?}")]
    Value {
        /// The option.
        name: String,
        /// Its type.
        kind: String,
        /// What stands there.
        text: String,
    },
    /// Groups in groups without end.
    #[error("groups nested too deep")]
    Depth,
    /// The text ends too early, or there is no `<configuration>`.
    #[error("incomplete file")]
    Incomplete,
}

/// Adds what `text` says to `tree`.
///
/// # Errors
/// The first fault, with its line.
pub fn read(text: &str, file: File, tree: &mut Tree) -> Result<(), XmlError> {
    Parser {
        reader: Reader::from_str(text),
        text,
        line: 1,
        counted: 0,
        file,
    }
    .document(tree)
}

struct Parser<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    line: usize,
    counted: usize,
    file: File,
}

impl<'a> Parser<'a> {
    fn document(&mut self, tree: &mut Tree) -> Result<(), XmlError> {
        let mut seen = false;
        loop {
            match self.event()? {
                Event::Start(start) if tag(&start) == "configuration" && !seen => {
                    seen = true;
                    let version = self.attribute(&start, "version")?;
                    if version.as_deref() != Some(VERSION) {
                        return Err(self.error(XmlErrorKind::Attribute("version")));
                    }
                    self.scopes(tree)?;
                }
                Event::Decl(_) | Event::Comment(_) => {}
                Event::Eof if seen => return Ok(()),
                other => self.blank_or_error(&other)?,
            }
        }
    }

    fn scopes(&mut self, tree: &mut Tree) -> Result<(), XmlError> {
        loop {
            match self.event()? {
                Event::Start(start) => match Scope::by_word(tag(&start)) {
                    Some(scope) => self.group(tree, scope, &mut Vec::new())?,
                    None => return Err(self.unexpected(&start)),
                },
                Event::Empty(start) if Scope::by_word(tag(&start)).is_some() => {}
                Event::End(_) => return Ok(()),
                Event::Comment(_) => {}
                other => self.blank_or_error(&other)?,
            }
        }
    }

    /// Reads what stands in a group or scope, up to its end.
    fn group(
        &mut self,
        tree: &mut Tree,
        scope: Scope,
        path: &mut Vec<Segment>,
    ) -> Result<(), XmlError> {
        if path.len() > DEEPEST {
            return Err(self.error(XmlErrorKind::Depth));
        }
        let begun = self.line;
        let mut empty = true;
        loop {
            match self.event()? {
                Event::Start(start) if tag(&start) == "group" => {
                    path.push(self.segment(&start)?);
                    self.group(tree, scope, path)?;
                    path.pop();
                }
                Event::Empty(start) if tag(&start) == "group" => {
                    path.push(self.segment(&start)?);
                    self.bare_group(tree, scope, path, self.line);
                    path.pop();
                }
                Event::Start(start) if tag(&start) == "option" && !path.is_empty() => {
                    self.option(&start, true, tree, scope, path)?;
                }
                Event::Empty(start) if tag(&start) == "option" && !path.is_empty() => {
                    self.option(&start, false, tree, scope, path)?;
                }
                Event::End(_) if empty => {
                    self.bare_group(tree, scope, path, begun);
                    return Ok(());
                }
                Event::End(_) => return Ok(()),
                Event::Comment(_) => continue,
                other => {
                    self.blank_or_error(&other)?;
                    continue;
                }
            }
            empty = false;
        }
    }

    /// A group without anything in it counts when it has a name of its own.
    fn bare_group(&self, tree: &mut Tree, scope: Scope, path: &[Segment], line: usize) {
        if path.last().is_some_and(|segment| segment.id.is_some()) {
            tree.push(
                scope,
                Path(path.to_vec()),
                self.setting(Content::Novalue, line),
            );
        }
    }

    fn option(
        &mut self,
        start: &BytesStart<'a>,
        has_content: bool,
        tree: &mut Tree,
        scope: Scope,
        path: &[Segment],
    ) -> Result<(), XmlError> {
        let line = self.line;
        let (segment, kind) = self.attributes(start)?;
        let kind = kind.ok_or_else(|| self.error(XmlErrorKind::Attribute("type")))?;
        let content = match (has_content, kind) {
            (true, "rule") => self.rule()?,
            (true, _) => {
                let text = self.content("option")?;
                if kind == "novalue" {
                    check_novalue(text)
                } else {
                    Content::Text(text)
                }
            }
            (false, "novalue") => Content::Novalue,
            (false, _) => Content::Text(String::new()),
        };
        self.check(&segment.name, kind, &content, line)?;
        let setting = self.setting(content, line);
        let mut segments = Vec::with_capacity(path.len() + 1);
        segments.extend_from_slice(path);
        segments.push(segment);
        tree.push(scope, Path(segments), setting);
        Ok(())
    }

    /// What has no value and what is a rule must look so. Whether a text is a number that its
    /// option allows is asked later, where one wrong value does not hide the next.
    fn check(
        &self,
        name: &str,
        kind: &str,
        content: &Content,
        line: usize,
    ) -> Result<(), XmlError> {
        let legal = match (kind, content) {
            ("novalue", Content::Novalue) | ("rule", Content::Rule(..)) => true,
            ("novalue" | "rule", _) => false,
            _ => true,
        };
        if legal {
            return Ok(());
        }
        let kind = XmlErrorKind::Value {
            name: name.to_owned(),
            kind: kind.to_owned(),
            text: content.line(),
        };
        Err(XmlError { line, kind })
    }

    fn rule(&mut self) -> Result<Content, XmlError> {
        let (mut pattern, mut template) = (None, None);
        loop {
            match self.event()? {
                Event::Start(start) if tag(&start) == "pattern" && pattern.is_none() => {
                    pattern = Some(self.content("pattern")?);
                }
                Event::Start(start) if tag(&start) == "template" && template.is_none() => {
                    template = Some(self.content("template")?);
                }
                Event::Empty(start) if tag(&start) == "template" => template = Some(String::new()),
                Event::End(_) => break,
                Event::Comment(_) => {}
                other => self.blank_or_error(&other)?,
            }
        }
        match (pattern, template) {
            (Some(pattern), template) => Ok(Content::Rule(pattern, template.unwrap_or_default())),
            (None, _) => Err(self.error(XmlErrorKind::Attribute("pattern"))),
        }
    }

    /// The text of an element that holds nothing else, up to its end.
    fn content(&mut self, element: &str) -> Result<String, XmlError> {
        let mut content = String::new();
        loop {
            match self.event()? {
                Event::Text(text) => content.push_str(&text.xml10_content()),
                Event::CData(text) => content.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let name = reference.xml10_content().into_owned();
                    let c = reference
                        .resolve_char_ref()
                        .ok()
                        .flatten()
                        .map(String::from);
                    let entity = quick_xml::escape::resolve_predefined_entity(&name);
                    match c.or_else(|| entity.map(str::to_owned)) {
                        Some(text) => content.push_str(&text),
                        None => return Err(self.error(XmlErrorKind::Text(format!("&{name};")))),
                    }
                }
                Event::End(_) => return Ok(content),
                Event::Start(start) | Event::Empty(start) => return Err(self.unexpected(&start)),
                Event::Comment(_) => {}
                Event::Eof => return Err(self.error(XmlErrorKind::Incomplete)),
                Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                    return Err(self.error(XmlErrorKind::Element(element.to_owned())));
                }
            }
        }
    }

    fn segment(&self, start: &BytesStart<'_>) -> Result<Segment, XmlError> {
        self.attributes(start).map(|(segment, _)| segment)
    }

    /// The name that an element has, and the word of its type if it is one of those allowed.
    fn attributes(
        &self,
        start: &BytesStart<'_>,
    ) -> Result<(Segment, Option<&'static str>), XmlError> {
        let (mut name, mut id, mut kind) = (None, None, None);
        for attribute in start.attributes() {
            let missing = if name.is_none() { "name" } else { "type" };
            let bad = || self.error(XmlErrorKind::Attribute(missing));
            let attribute = attribute.map_err(|_| bad())?;
            let value = attribute.normalized_value(XmlVersion::Explicit1_0);
            let value = value.map_err(|_| bad())?;
            match attribute.key.into_inner() {
                "name" if !value.is_empty() => name = Some(known(&value)),
                "id" => id = Some(value.into_owned()),
                "type" => kind = TYPES.into_iter().find(|word| *word == value),
                _ => {}
            }
        }
        let name = name.ok_or_else(|| self.error(XmlErrorKind::Attribute("name")))?;
        Ok((Segment { name, id }, kind))
    }

    fn attribute(
        &self,
        start: &BytesStart<'_>,
        name: &'static str,
    ) -> Result<Option<String>, XmlError> {
        let bad = |_| self.error(XmlErrorKind::Attribute(name));
        match start
            .try_get_attribute(name)
            .map_err(|_| self.error(XmlErrorKind::Attribute(name)))?
        {
            None => Ok(None),
            Some(attribute) => {
                let value = attribute
                    .normalized_value(XmlVersion::Explicit1_0)
                    .map_err(bad)?;
                Ok(Some(value.into_owned()))
            }
        }
    }

    fn setting(&self, content: Content, line: usize) -> Setting {
        Setting {
            content,
            file: self.file,
            line,
        }
    }

    /// The next event, with the line at which it ends counted.
    fn event(&mut self) -> Result<Event<'a>, XmlError> {
        let result = self.reader.read_event();
        let position = match &result {
            Ok(_) => self.reader.buffer_position(),
            Err(_) => self.reader.error_position(),
        };
        let position = usize::try_from(position)
            .unwrap_or(usize::MAX)
            .min(self.text.len());
        let passed = self
            .text
            .as_bytes()
            .get(self.counted..position)
            .unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.counted = self.counted.max(position);
        result.map_err(|error| self.error(XmlErrorKind::Syntax(error.to_string())))
    }

    fn blank_or_error(&self, event: &Event<'_>) -> Result<(), XmlError> {
        let kind = match event {
            Event::Text(text) if text.xml10_content().trim().is_empty() => return Ok(()),
            Event::Text(text) => XmlErrorKind::Text(shorten(&text.xml10_content())),
            Event::Start(start) | Event::Empty(start) => return Err(self.unexpected(start)),
            Event::Eof => XmlErrorKind::Incomplete,
            other => XmlErrorKind::Text(shorten(&format!("{other:?}"))),
        };
        Err(self.error(kind))
    }

    fn unexpected(&self, start: &BytesStart<'_>) -> XmlError {
        self.error(XmlErrorKind::Element(shorten(tag(start))))
    }

    const fn error(&self, kind: XmlErrorKind) -> XmlError {
        XmlError {
            line: self.line,
            kind,
        }
    }
}

/// A text that stands where a value-less option has none is an empty one, or an error later.
fn check_novalue(text: String) -> Content {
    if text.trim().is_empty() {
        Content::Novalue
    } else {
        Content::Text(text)
    }
}

fn tag<'b>(start: &'b BytesStart<'_>) -> &'b str {
    start.name().into_inner()
}

fn shorten(text: &str) -> String {
    text.trim().chars().take(60).collect()
}

/// Writes what `select` picks of the tree; `kind` says the type of an option.
///
/// # Errors
/// Only those of memory: the writer's own type asks for a result.
pub fn write(
    tree: &Tree,
    mut select: impl FnMut(&Path) -> bool,
    kind: impl Fn(&Path) -> &'static str,
) -> std::io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut root = BytesStart::new("configuration");
    root.push_attribute(("version", VERSION));
    writer.write_event(Event::Start(root))?;
    for scope in Scope::ALL {
        let mut entries = tree
            .entries()
            .iter()
            .filter(|entry| entry.scope == scope)
            .peekable();
        if entries.peek().is_none() {
            continue;
        }
        writer.write_event(Event::Start(BytesStart::new(scope.word())))?;
        let mut open: Vec<Segment> = Vec::new();
        for entry in entries.filter(|entry| select(&entry.path)) {
            let segments = entry.path.segments();
            let is_group = segments.last().is_some_and(|last| last.id.is_some());
            let groups = if is_group {
                segments
            } else {
                &segments[..segments.len() - 1]
            };
            enter(&mut writer, &mut open, groups)?;
            if let (false, Some(option)) = (is_group, segments.last()) {
                for setting in &entry.settings {
                    write_option(
                        &mut writer,
                        &option.name,
                        kind(&entry.path),
                        &setting.content,
                    )?;
                }
            }
        }
        enter(&mut writer, &mut open, &[])?;
        writer.write_event(Event::End(BytesEnd::new(scope.word())))?;
    }
    writer.write_event(Event::End(BytesEnd::new("configuration")))?;
    let mut text = String::from_utf8(writer.into_inner()).map_err(std::io::Error::other)?;
    text.push('\n');
    Ok(text)
}

/// Closes and opens groups until exactly `groups` are open.
fn enter(
    writer: &mut Writer<Vec<u8>>,
    open: &mut Vec<Segment>,
    groups: &[Segment],
) -> std::io::Result<()> {
    let shared = open.iter().zip(groups).take_while(|(a, b)| a == b).count();
    while open.len() > shared {
        writer.write_event(Event::End(BytesEnd::new("group")))?;
        open.pop();
    }
    for group in &groups[shared..] {
        let mut start = BytesStart::new("group");
        start.push_attribute(("name", &*group.name));
        if let Some(id) = &group.id {
            start.push_attribute(("id", id.as_str()));
        }
        writer.write_event(Event::Start(start))?;
        open.push(group.clone());
    }
    Ok(())
}

fn write_option(
    writer: &mut Writer<Vec<u8>>,
    name: &str,
    kind: &str,
    content: &Content,
) -> std::io::Result<()> {
    let kind = match content {
        Content::Novalue => "novalue",
        Content::Rule(..) => "rule",
        Content::Text(_) if matches!(kind, "novalue" | "rule") => "string",
        Content::Text(_) => kind,
    };
    let mut start = BytesStart::new("option");
    start.push_attribute(("name", name));
    start.push_attribute(("type", kind));
    match content {
        Content::Novalue => writer.write_event(Event::Empty(start)),
        Content::Text(text) => {
            writer.write_event(Event::Start(start))?;
            writer.write_event(Event::Text(BytesText::new(text)))?;
            writer.write_event(Event::End(BytesEnd::new("option")))
        }
        Content::Rule(pattern, template) => {
            writer.write_event(Event::Start(start))?;
            for (element, text) in [("pattern", pattern), ("template", template)] {
                writer.write_event(Event::Start(BytesStart::new(element)))?;
                writer.write_event(Event::Text(BytesText::new(text)))?;
                writer.write_event(Event::End(BytesEnd::new(element)))?;
            }
            writer.write_event(Event::End(BytesEnd::new("option")))
        }
    }
}

#[cfg(test)]
mod tests;
