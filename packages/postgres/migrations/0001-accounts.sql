-- What Farebox keeps, version 1. Every statement may run again. In place of "farebox" stands the schema of your choice.

CREATE SCHEMA IF NOT EXISTS farebox;

-- Which migrations have run. A row's `readable_from` is the lowest version of this package's schema that may still be used
-- beside it, so that servers of two releases can run at once.
CREATE TABLE IF NOT EXISTS farebox.migrations (
  version integer NOT NULL PRIMARY KEY,
  readable_from integer NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);

-- One row an account, replaced by every write. Nothing but its key is indexed and half of each page stays free, so that a new
-- version of a row stays on its page and touches no index.
CREATE TABLE IF NOT EXISTS farebox.heads (
  account text COLLATE "C" NOT NULL PRIMARY KEY,
  version bigint NOT NULL,
  last_seq bigint NOT NULL,
  head text NOT NULL
) WITH (fillfactor = 50);

-- Times are double precision because that is what a JavaScript number is; whole milliseconds are exact in it.
-- `long_key` is the key where it is too long to be indexed: then `key` is made of its hash.
CREATE TABLE IF NOT EXISTS farebox.records (
  account text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  long_key text,
  due_at double precision,
  keep_until double precision,
  value text NOT NULL,
  PRIMARY KEY (account, key)
) WITH (fillfactor = 80);

CREATE INDEX IF NOT EXISTS records_due ON farebox.records (account, due_at) WHERE due_at IS NOT NULL;

CREATE INDEX IF NOT EXISTS records_kept ON farebox.records (account, keep_until) WHERE keep_until IS NOT NULL;

CREATE TABLE IF NOT EXISTS farebox.journal (
  account text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  text text NOT NULL,
  hash text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account, seq)
);

-- Gives no number twice, also not after a document was deleted.
CREATE SEQUENCE IF NOT EXISTS farebox.document_versions;

CREATE TABLE IF NOT EXISTS farebox.documents (
  key text COLLATE "C" NOT NULL PRIMARY KEY,
  version bigint NOT NULL DEFAULT nextval('farebox.document_versions'),
  value text NOT NULL
);

INSERT INTO farebox.migrations (version, readable_from) VALUES (1, 1) ON CONFLICT (version) DO NOTHING;
