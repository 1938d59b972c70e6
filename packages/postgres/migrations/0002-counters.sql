-- What Farebox keeps, version 2: counters of rate limits. Every statement may run again.

-- Nothing is lost with a counter but the memory of a minute or an hour, so the server need not write it to its log.
-- `counter` is made of a hash over account and name; `holder` is empty for what nobody gives back as a whole. The row of an account
-- itself is what requests take turns on.
CREATE UNLOGGED TABLE IF NOT EXISTS farebox.counters (
  counter text COLLATE "C" NOT NULL,
  holder text COLLATE "C" NOT NULL,
  amount bigint NOT NULL,
  until_ms double precision NOT NULL,
  PRIMARY KEY (counter, holder)
) WITH (fillfactor = 50);

CREATE INDEX IF NOT EXISTS counters_until ON farebox.counters (until_ms);

INSERT INTO farebox.migrations (version, readable_from) VALUES (2, 1) ON CONFLICT (version) DO NOTHING;
