import { Database, type SQLQueryBindings, type Statement } from "bun:sqlite";
import { closeSync, fdatasyncSync, openSync } from "node:fs";
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { RunnerError } from "../../protocol/errors.ts";
import { createGroupCommit } from "./group-commit.ts";
import { MIGRATIONS } from "./migrations.ts";
import type { Schema } from "./schema.ts";

/** `normal` survives `kill -9`; `full` survives a power cut too (locks, claims, completions). */
export type Durability = "normal" | "full";

interface Compilable<Row> {
  compile(): CompiledQuery<Row>;
}

/**
 * One SQLite connection, used synchronously: never await between statements of one transaction.
 * Queries are either prepared SQL (`prepare`, hot paths) or Kysely builders run by `all`, `first` and `run`.
 */
export interface Db {
  /** Builds typed queries; it cannot execute them. */
  readonly kysely: Kysely<Schema>;
  all<Row>(query: Compilable<Row>): Row[];
  first<Row>(query: Compilable<Row>): Row | undefined;
  /** Number of rows changed. */
  run(query: Compilable<unknown>): number;
  /** Prepared once per text. */
  prepare<Row, Params extends SQLQueryBindings[]>(sql: string): Prepared<Row, Params>;
  /** Runs now, in one transaction (joins the one that is open). Throws roll it back. */
  transaction<T>(body: () => T, durability?: Durability): T;
  /** Runs at the end of this event-loop turn, together with all others of it; resolves after the commit. */
  group<T>(body: () => T, durability?: Durability): Promise<T>;
  /** Runs after the commit of the open transaction; forgotten when that rolls back. */
  afterCommit(effect: () => void): void;
  close(): void;
}

export interface Prepared<Row, Params extends SQLQueryBindings[]> {
  get(...params: Params): Row | null;
  all(...params: Params): Row[];
  run(...params: Params): { readonly changes: number; readonly lastInsertRowid: number | bigint };
}

/** Opens (and migrates) the database at `path`; `:memory:` for tests. Throws what SQLite throws. */
export function openDb(path: string): Db {
  // Plans lie in it. SQLite gives its -wal and -shm files the mode of the database.
  if (path !== ":memory:") closeSync(openSync(path, "a", 0o600));
  const raw = new Database(path, { create: true, readwrite: true, strict: true });
  raw.exec(
    "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF",
  );
  migrate(raw);
  const kysely = new Kysely<Schema>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
  const wal = walOf(path);
  const commit = createGroupCommit(raw, wal.sync);
  // Not raw.query: its cache holds 20 statements, and a store has more.
  const prepared = new Map<string, Statement<unknown, SQLQueryBindings[]>>();
  const prepare = (sql: string) => {
    const known = prepared.get(sql);
    if (known) return known;
    const statement = raw.prepare<unknown, SQLQueryBindings[]>(sql);
    prepared.set(sql, statement);
    return statement;
  };
  const bind = (query: CompiledQuery) => query.parameters as SQLQueryBindings[];
  return {
    kysely,
    all: <Row>(query: Compilable<Row>) => {
      const compiled = query.compile();
      return raw.query<Row, SQLQueryBindings[]>(compiled.sql).all(...bind(compiled));
    },
    first: <Row>(query: Compilable<Row>) => {
      const compiled = query.compile();
      return raw.query<Row, SQLQueryBindings[]>(compiled.sql).get(...bind(compiled)) ?? undefined;
    },
    run: (query) => {
      const compiled = query.compile();
      return raw.query<unknown, SQLQueryBindings[]>(compiled.sql).run(...bind(compiled)).changes;
    },
    prepare: <Row, Params extends SQLQueryBindings[]>(sql: string) => prepare(sql) as Prepared<Row, Params>,
    transaction: commit.transaction,
    group: commit.group,
    afterCommit: commit.afterCommit,
    close: () => {
      commit.flush();
      wal.close();
      raw.close();
    },
  };
}

/** The write-ahead log, brought to the disk's own memory. SQLite keeps the file for as long as the database is open. */
function walOf(path: string): { sync(): void; close(): void } {
  let fd: number | null = null;
  return {
    sync: () => {
      if (path === ":memory:") return;
      fd ??= openSync(`${path}-wal`, "r");
      fdatasyncSync(fd);
    },
    close: () => {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
  };
}

function migrate(raw: Database): void {
  const row = raw.query<{ user_version: number }, []>("PRAGMA user_version").get();
  const applied = row?.user_version ?? 0;
  if (applied > MIGRATIONS.length) {
    const versions = `schema ${applied}, this program knows ${MIGRATIONS.length}`;
    throw new RunnerError("environment", `the database ${raw.filename} is of a newer version (${versions})`, {
      remedy: "Start the version of runner that wrote it, or a later one.",
    });
  }
  if (applied === MIGRATIONS.length) return;
  raw
    .transaction(() => {
      // Read again inside the transaction: a second process may have been faster (run-local shares a folder).
      const now = raw.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
      for (const sql of MIGRATIONS.slice(now)) raw.exec(sql);
      raw.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    })
    .immediate();
}
