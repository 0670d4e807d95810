//! The page around a report: one self-contained HTML file, light and dark, printable.

use std::fmt::Write as _;

/// Text made safe for element content and quoted attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A page that is filled section by section.
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    /// An empty page with a heading, a line below it and badges such as `synthetic`.
    #[must_use]
    pub fn new(title: &str, subtitle: &str, badges: &[String]) -> Self {
        let mut body = format!("<header><h1>{}</h1><p class=\"sub\">{}</p><p>", escape(title), escape(subtitle));
        for badge in badges {
            let _ = write!(body, "<span class=\"badge\">{}</span> ", escape(badge));
        }
        body.push_str("</p></header>");
        Self { title: title.to_owned(), body }
    }

    /// Adds a section; `content` is HTML.
    pub fn section(&mut self, heading: &str, content: &str) {
        let _ = write!(self.body, "<section><h2>{}</h2>{content}</section>", escape(heading));
    }

    /// The whole file.
    #[must_use]
    pub fn finish(&self) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{}</title><style>{STYLE}</style></head><body><main>{}</main></body></html>\n",
            escape(&self.title),
            self.body
        )
    }
}

/// Characters from which a cell with spaces is a sentence that may wrap.
const LONG_CELL: usize = 28;

/// Columns of sentences.
const TEXT_COLUMNS: [&str; 3] = ["remarks", "reason", "missing"];

/// A table; cells are plain text. Columns after the first are right-aligned.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = String::from("<div class=\"scroll\"><table><thead><tr>");
    for cell in head {
        let class = if TEXT_COLUMNS.contains(cell) { " class=\"text\"" } else { "" };
        let _ = write!(html, "<th{class}>{}</th>", escape(cell));
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows {
        html.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let is_text = head.get(column).is_some_and(|name| TEXT_COLUMNS.contains(name));
            let class = if is_text || cell.contains(' ') && cell.chars().count() > LONG_CELL {
                " class=\"text\""
            } else if cell.starts_with('−') && cell.len() > 3 {
                " class=\"loss\""
            } else {
                ""
            };
            let _ = write!(html, "<td{class}>{}</td>", escape(cell));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}

/// Name and value pairs.
#[must_use]
pub fn facts(pairs: &[(&str, String)]) -> String {
    let mut html = String::from("<dl>");
    for (name, value) in pairs {
        let _ = write!(html, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
    }
    html.push_str("</dl>");
    html
}

/// Big numbers with a caption each.
#[must_use]
pub fn tiles(tiles: &[(&str, String, String)]) -> String {
    let mut html = String::from("<div class=\"tiles\">");
    for (name, value, note) in tiles {
        let class = if value.starts_with('−') { "value loss" } else { "value" };
        let _ = write!(
            html,
            "<div class=\"tile\"><span class=\"name\">{}</span><span class=\"{class}\">{}</span><span class=\"note\">{}</span></div>",
            escape(name),
            escape(value),
            escape(note)
        );
    }
    html.push_str("</div>");
    html
}

/// A legend line for a chart: pairs of CSS class and name.
#[must_use]
pub fn legend(entries: &[(&str, &str)]) -> String {
    let mut html = String::from("<p class=\"legend\">");
    for (class, name) in entries {
        let _ = write!(html, "<span><i class=\"{class}\"></i>{}</span>", escape(name));
    }
    html.push_str("</p>");
    html
}

/// A paragraph of plain text in the small style.
#[must_use]
pub fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>", escape(text))
}

const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#1c2024;--dim:#5d666f;--rule:#e3e5e8;--a:#0b62c4;--b:#8a929a;--loss:#b3261e}\
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1b1f23;--ink:#e8eaed;--dim:#a0a8b0;--rule:#30363c;--a:#6fb1ff;--b:#7c858e;--loss:#ff8a80}}\
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif}\
main{max-width:1040px;margin:0 auto;padding:32px 20px 64px}h1{font-size:26px;line-height:1.2;margin:0 0 4px}h2{font-size:17px;margin:0 0 12px}h3{font-size:14px;margin:16px 0 4px}\
.sub{color:var(--dim);margin:0 0 8px}.badge{display:inline-block;margin-bottom:4px;border:1px solid var(--a);color:var(--a);border-radius:999px;padding:1px 10px;font-size:12px;font-weight:600}\
section{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:18px 20px;margin:16px 0}\
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:14px}.tile{display:flex;flex-direction:column}.tile .name{color:var(--dim);font-size:12px}\
.tile .value{font-size:22px;font-weight:600;font-variant-numeric:tabular-nums}.note{color:var(--dim);font-size:12.5px;margin:6px 0 0}.loss{color:var(--loss)}\
svg{width:100%;height:auto;display:block}.grid{stroke:var(--rule);stroke-width:1}.tick{fill:var(--dim);font-size:11px}\
.line{fill:none;stroke-width:1.6;stroke-linejoin:round}.line.a{stroke:var(--a)}.line.b{stroke:var(--b)}.line.c{stroke:var(--loss)}.area{opacity:.18}.area.c{fill:var(--loss)}.area.a{fill:var(--a)}\
.line.price{stroke:var(--ink);stroke-width:1.3}.band{fill:var(--a);fill-opacity:.2;stroke:var(--a);stroke-width:.8;stroke-opacity:.75}.mark{stroke:var(--b);stroke-width:.8;stroke-dasharray:3 3}\
.bar{fill:var(--a)}.bar.c{fill:var(--loss)}.multiples{display:grid;grid-template-columns:repeat(auto-fill,minmax(270px,1fr));gap:14px 20px;margin-top:14px}.multiples svg{min-width:0}\
h1,.sub,.name,summary,.tile .value,.note{overflow-wrap:anywhere}details{border-top:1px solid var(--rule);padding:8px 0}details:first-of-type{border-top:0}summary{cursor:pointer;font-size:14px}details[open] summary{margin-bottom:8px}\
th.text,td.text{white-space:normal;min-width:150px;text-align:left}details .scroll{margin-top:10px}\
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;font-size:12.5px;color:var(--dim);margin:0 0 6px}.legend i{display:inline-block;width:14px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle}\
.legend i.price{background:var(--ink)}.legend i.band{height:10px;background:var(--a);opacity:.4}.legend i.mark{background:var(--b);height:10px;width:1px;margin:0 12px 0 6px}.legend i.a{background:var(--a)}.legend i.b{background:var(--b)}.legend i.c{background:var(--loss)}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}th,td{text-align:right;padding:5px 10px;border-bottom:1px solid var(--rule);white-space:nowrap}\
th{color:var(--dim);font-weight:500}th:first-child,td:first-child{text-align:left}tbody tr:last-child td{border-bottom:0}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:0;font-size:13px}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere;font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:12.5px}\
@media(max-width:520px){.scroll>svg{min-width:620px}dl{grid-template-columns:1fr}dt{margin-top:6px}main{padding:20px 12px 40px}section{padding:14px 12px}}\
@media print{body{background:#fff}section{break-inside:avoid;border-color:#ccc}}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let page = Page::new("<script>", "a & b", &["x\"y".into()]).finish();
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;") && page.contains("a &amp; b"));
    }

    #[test]
    fn the_page_fetches_nothing() {
        let page = Page::new("t", "s", &[]).finish();
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
