//! The tables, and how an older database becomes a newer one.

use super::StoreError;
use rusqlite::{Connection, TransactionBehavior};

/// `PHOT`: says in the file's header whose database it is.
pub(super) const APPLICATION_ID: i32 = 0x5048_4f54;

/// Each entry takes the schema one version up. Never edit one that was released: add another.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
    include_str!("schema_8.sql"),
];

/// Brings the schema up to `migrations.len()`, all steps in one transaction. An empty file becomes a new database; a file of
/// somebody else, or of a newer program, is refused untouched.
pub(super) fn migrate(conn: &mut Connection, path: &str, migrations: &[&str]) -> Result<(), StoreError> {
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application: i32 = tx.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let found: u32 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: u32 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_empty = application == 0 && found == 0 && tables == 0;
    if !is_empty && application != APPLICATION_ID {
        return Err(StoreError::NotOurs { path: path.to_owned() });
    }
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    if found == known {
        return Ok(());
    }
    for step in migrations.iter().skip(found as usize) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", known)?;
    tx.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn version(conn: &Connection) -> u32 {
        conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_database_is_brought_forward_and_keeps_its_rows() {
        let mut conn = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a(x) STRICT".replace(" STRICT", ""), "ALTER TABLE a ADD COLUMN y DEFAULT 7".to_owned()];
        migrate(&mut conn, "db", &[&steps[0]]).unwrap();
        conn.execute("INSERT INTO a VALUES(1)", []).unwrap();
        migrate(&mut conn, "db", &[&steps[0], &steps[1]]).unwrap();
        assert_eq!(version(&conn), 2);
        assert_eq!(conn.query_row("SELECT x + y FROM a", [], |row| row.get::<_, i64>(0)).unwrap(), 8);
        migrate(&mut conn, "db", &[&steps[0], &steps[1]]).unwrap();
    }

    #[test]
    fn a_migration_that_fails_leaves_the_old_schema() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, "db", &["CREATE TABLE a(x)"]).unwrap();
        let broken = ["CREATE TABLE a(x)", "CREATE TABLE b(x)", "CREATE TABLE a(x)"];
        assert!(matches!(migrate(&mut conn, "db", &broken), Err(StoreError::Failed { .. })));
        assert_eq!(version(&conn), 1);
        let tables: u32 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1, "table b was rolled back");
    }

    #[test]
    fn a_newer_schema_refuses_to_open() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, "db", &["CREATE TABLE a(x)", "CREATE TABLE b(x)"]).unwrap();
        let refused = migrate(&mut conn, "db", &["CREATE TABLE a(x)"]);
        assert_eq!(refused, Err(StoreError::TooNew { found: 2, known: 1 }));
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        for sql in ["CREATE TABLE theirs(x)", "PRAGMA application_id = 77", "PRAGMA user_version = 3"] {
            let mut conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(sql).unwrap();
            let refused = migrate(&mut conn, "db", MIGRATIONS);
            assert_eq!(refused, Err(StoreError::NotOurs { path: "db".to_owned() }), "{sql}");
        }
    }
}
