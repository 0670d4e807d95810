//! One statement with its arguments, and one row of its answer, for both databases.

use std::borrow::Cow;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Decode, Postgres, Row as _, Sqlite, Type};

use super::DatabaseError;

/// Arguments in one statement of many rows; SQLite takes 32,766.
const MAX_ARGUMENTS: usize = 16_000;

/// Rows of an insert that is kept prepared.
const KEPT_ROWS: usize = 100;

/// An argument; each has a type also when it is null, which PostgreSQL needs.
#[derive(Debug, Clone)]
pub(super) enum Argument {
    Text(Option<String>),
    Integer(Option<i64>),
    Bool(bool),
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&String> for Argument {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}

impl From<&Option<String>> for Argument {
    fn from(text: &Option<String>) -> Self {
        Self::Text(text.clone())
    }
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Option<i64>> for Argument {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Argument {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

/// A statement and its arguments, in the order of `$1`, `$2`, ….
#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// What it does, for errors.
    pub action: &'static str,
    text: Text,
    arguments: Vec<Argument>,
}

/// The text of a statement.
#[derive(Debug, Clone)]
enum Text {
    Given(Cow<'static, str>),
    /// `head VALUES (…), (…), … tail` with rows of so many arguments.
    Insert {
        head: String,
        tail: String,
        width: usize,
        /// Whether the connection keeps it prepared.
        is_kept: bool,
    },
}

impl Statement {
    pub fn new(action: &'static str, sql: impl Into<Cow<'static, str>>) -> Self {
        Self { action, text: Text::Given(sql.into()), arguments: Vec::new() }
    }

    pub fn bind(mut self, argument: impl Into<Argument>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Statements that together insert `rows`: `head VALUES (…), (…), … tail`, in chunks.
    pub fn insert_many(
        action: &'static str,
        head: &str,
        tail: &str,
        rows: impl IntoIterator<Item = Vec<Argument>>,
    ) -> Vec<Self> {
        let mut statements: Vec<Self> = Vec::new();
        for row in rows {
            let width = row.len();
            match statements.last_mut() {
                Some(open) if open.arguments.len() + width <= MAX_ARGUMENTS => open.arguments.extend(row),
                _ => {
                    let text = Text::Insert { head: head.to_owned(), tail: tail.to_owned(), width, is_kept: false };
                    statements.push(Self { action, text, arguments: row });
                }
            }
        }
        statements
    }

    /// The same for rows that come again and again in great number: all statements but the last
    /// have [`KEPT_ROWS`] rows, and the connection keeps them prepared.
    pub fn insert_often(action: &'static str, head: &str, tail: &str, mut rows: Vec<Vec<Argument>>) -> Vec<Self> {
        let rest = rows.split_off(rows.len() / KEPT_ROWS * KEPT_ROWS);
        let mut statements = Vec::with_capacity(rows.len() / KEPT_ROWS + 1);
        let mut rows = rows.into_iter().peekable();
        while let Some(width) = rows.peek().map(Vec::len) {
            let arguments = rows.by_ref().take(KEPT_ROWS).flatten().collect();
            let text = Text::Insert { head: head.to_owned(), tail: tail.to_owned(), width, is_kept: true };
            statements.push(Self { action, text, arguments });
        }
        statements.extend(Self::insert_many(action, head, tail, rest));
        statements
    }

    /// Texts that a PostgreSQL text cannot hold, refused for both databases.
    pub fn check(&self) -> Result<(), DatabaseError> {
        let torn = |argument: &Argument| matches!(argument, Argument::Text(Some(text)) if text.contains('\0'));
        match self.arguments.iter().position(torn) {
            Some(index) => Err(DatabaseError::NulByte { action: self.action, argument: index + 1 }),
            None => Ok(()),
        }
    }

    pub fn sqlite(self) -> Query<'static, Sqlite, SqliteArguments> {
        let query = match self.text {
            Text::Given(Cow::Borrowed(sql)) => sqlx::query(sql),
            Text::Given(Cow::Owned(sql)) => sqlx::query(AssertSqlSafe(sql)).persistent(false),
            Text::Insert { head, tail, width, is_kept } => {
                // SQLite looks numbered arguments up one by one, which makes thousands slow.
                let sql = insert(&head, &tail, width, self.arguments.len(), |sql, _| sql.push('?'));
                sqlx::query(AssertSqlSafe(sql)).persistent(is_kept)
            }
        };
        self.arguments.into_iter().fold(query, |query, argument| match argument {
            Argument::Text(text) => query.bind(text),
            Argument::Integer(number) => query.bind(number),
            Argument::Bool(flag) => query.bind(flag),
        })
    }

    pub fn postgres(self) -> Query<'static, Postgres, PgArguments> {
        let query = match self.text {
            Text::Given(Cow::Borrowed(sql)) => sqlx::query(sql),
            Text::Given(Cow::Owned(sql)) => sqlx::query(AssertSqlSafe(sql)).persistent(false),
            Text::Insert { head, tail, width, is_kept } => {
                let sql = insert(&head, &tail, width, self.arguments.len(), |sql, number| {
                    sql.push('$');
                    sql.push_str(&number.to_string());
                });
                sqlx::query(AssertSqlSafe(sql)).persistent(is_kept)
            }
        };
        self.arguments.into_iter().fold(query, |query, argument| match argument {
            Argument::Text(text) => query.bind(text),
            Argument::Integer(number) => query.bind(number),
            Argument::Bool(flag) => query.bind(flag),
        })
    }
}

/// The text of an insert of `arguments` in rows of `width`. Such texts are kept prepared for one
/// number of rows alone: each is another statement, and they would fill the connection's cache.
fn insert(head: &str, tail: &str, width: usize, arguments: usize, place: impl Fn(&mut String, usize)) -> String {
    let mut sql = format!("{head} VALUES ");
    for number in 1..=arguments {
        let column = (number - 1) % width;
        sql.push_str(match (column, number) {
            (0, 1) => "(",
            (0, _) => "), (",
            _ => ", ",
        });
        place(&mut sql, number);
    }
    sql.push_str(") ");
    sql.push_str(tail);
    sql
}

/// One row of an answer.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The value of a column.
    pub fn get<T>(&self, column: &str) -> Result<T, DatabaseError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        let value = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        };
        value.map_err(DatabaseError::sql("read a row"))
    }

    /// The value of a column of texts that are something else.
    pub fn parse<T: std::str::FromStr>(&self, column: &'static str) -> Result<T, DatabaseError> {
        let text: String = self.get(column)?;
        text.parse().map_err(|_| DatabaseError::Damaged { column, value: text })
    }

    /// A count or number of a block, which is never negative.
    pub fn count(&self, column: &'static str) -> Result<u64, DatabaseError> {
        let number: i64 = self.get(column)?;
        u64::try_from(number).map_err(|_| DatabaseError::Damaged { column, value: number.to_string() })
    }

    /// The same where it may be null.
    pub fn optional_count(&self, column: &'static str) -> Result<Option<u64>, DatabaseError> {
        let number: Option<i64> = self.get(column)?;
        let damaged = |number: i64| DatabaseError::Damaged { column, value: number.to_string() };
        number.map(|number| u64::try_from(number).map_err(|_| damaged(number))).transpose()
    }
}

/// A count as the databases hold it.
pub(super) fn signed(column: &'static str, number: u64) -> Result<i64, DatabaseError> {
    i64::try_from(number).map_err(|_| DatabaseError::OutOfRange { column, value: number })
}
