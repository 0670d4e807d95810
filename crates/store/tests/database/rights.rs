//! Who may write, and tables of other versions.

use assay_store::database::{DatabaseError, JobsDatabase, PoolEventsReader, PoolEventsWriter, Roles};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::both::{both, postgres, server, sqlite};
use crate::events::{open, pool};
use crate::samples::{CHAIN, POOL, headers, swap};

const INSERT: &str = "INSERT INTO blocks (chain_id, number, hash, timestamp) VALUES (8453, 99, '0x', 1)";

#[tokio::test]
async fn postgresql_lets_the_indexer_alone_write() {
    let empty = postgres(server());
    let (owner, _) = open(&empty).await;
    let roles = Roles { writer: "indexer_role".into(), reader: "reader_role".into() };
    owner.grant(&roles).await.unwrap();
    owner.grant(&roles).await.unwrap();
    let mut admin = PgConnection::connect(&empty.url).await.unwrap();
    for sql in [
        "CREATE ROLE an_indexer LOGIN IN ROLE indexer_role",
        "CREATE ROLE a_validator LOGIN IN ROLE reader_role",
        "CREATE ROLE a_stranger LOGIN",
    ] {
        sqlx::query(sql).execute(&mut admin).await.unwrap();
    }
    let url = |login| server().url_for(&empty.url, login);

    let writer = PoolEventsWriter::open(&url("an_indexer").parse().unwrap()).await.unwrap();
    writer.ingest(CHAIN, POOL, 10..=11, &headers(0, 10..=11), &[swap(10, 1)]).await.unwrap();
    writer.roll_back(CHAIN, POOL, 10).await.unwrap();
    let reader = PoolEventsReader::open(&url("a_validator").parse().unwrap()).await.unwrap();
    assert_eq!(reader.events(CHAIN, POOL, 10..=10).await.unwrap().len(), 1);

    // What PostgreSQL itself answers to a reader, whatever program it uses.
    let mut connection = PgConnection::connect(&url("a_validator")).await.unwrap();
    for table in [
        "swaps",
        "mints",
        "burns",
        "collects",
        "gauge_events",
        "fee_module_events",
        "other_events",
        "pools",
        "pool_contracts",
        "blocks",
        "cursors",
        "schema_versions",
    ] {
        sqlx::query(AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).execute(&mut connection).await.unwrap();
        for sql in
            [format!("INSERT INTO {table} DEFAULT VALUES"), format!("DELETE FROM {table}"), format!("TRUNCATE {table}")]
        {
            let error = sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut connection).await.unwrap_err();
            let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
            assert_eq!(code.as_deref(), Some("42501"), "{sql}: {error}");
        }
    }
    let error = sqlx::query(INSERT).execute(&mut connection).await.unwrap_err().to_string();
    assert!(error.contains("permission denied for table blocks"), "{error}");
    // A reader that opens the writer's side is refused at its first write.
    let disguised = PoolEventsWriter::open(&url("a_validator").parse().unwrap()).await.unwrap();
    let error = disguised.ingest(CHAIN, POOL, 11..=11, &headers(0, 11..=11), &[]).await.unwrap_err();
    assert!(error.to_string().contains("permission denied") && !error.is_retryable(), "{error}");
    let stranger = PoolEventsReader::open(&url("a_stranger").parse().unwrap()).await.unwrap_err();
    assert!(stranger.to_string().contains("permission denied"), "{stranger}");
}

#[tokio::test]
async fn roles_are_refused_where_there_are_none_and_where_they_are_no_names() {
    let (writer, _) = open(&sqlite()).await;
    let error = writer.grant(&Roles::default()).await.unwrap_err();
    assert!(matches!(error, DatabaseError::PostgresOnly { .. }), "{error}");
    let (writer, _) = open(&postgres(server())).await;
    let odd = Roles { reader: "x; DROP TABLE swaps".into(), ..Roles::default() };
    let error = writer.grant(&odd).await.unwrap_err();
    assert!(matches!(error, DatabaseError::RoleName { .. }), "{error}");
}

#[tokio::test]
async fn tables_of_other_versions_are_named() {
    for empty in both() {
        if !empty.is_postgres() {
            let error = PoolEventsReader::open(&empty.location).await.unwrap_err();
            assert!(error.to_string().contains("unable to open"), "{error}");
        }
        let (first, second) =
            tokio::join!(JobsDatabase::open(&empty.location), PoolEventsWriter::open(&empty.location));
        first.unwrap().close().await;
        let writer = second.unwrap();
        writer.put_pool(&pool()).await.unwrap();
        writer.close().await;
        let set = "UPDATE schema_versions SET version = 999 WHERE name = 'pool_events'";
        if empty.is_postgres() {
            sqlx::query(set).execute(&mut PgConnection::connect(&empty.url).await.unwrap()).await.unwrap();
        } else {
            let options = SqliteConnectOptions::new().filename(&empty.url);
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query(set).execute(&mut connection).await.unwrap();
        }
        for error in [
            PoolEventsWriter::open(&empty.location).await.unwrap_err(),
            PoolEventsReader::open(&empty.location).await.unwrap_err(),
        ] {
            assert!(matches!(error, DatabaseError::TooNew { found: 999, .. }), "{error}");
        }
    }
    let empty = postgres(server());
    let error = PoolEventsReader::open(&empty.location).await.unwrap_err();
    assert!(matches!(error, DatabaseError::NotReady { found: 0, .. }), "{error}");
}
