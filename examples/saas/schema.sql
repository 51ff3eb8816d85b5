-- Facts that are asked for whole are stored as JSON beside the columns that guard and find them.
CREATE TABLE IF NOT EXISTS plans (
    id INTEGER PRIMARY KEY,
    facts TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS accounts (
    id INTEGER PRIMARY KEY,
    plan_id INTEGER NOT NULL REFERENCES plans,
    version INTEGER NOT NULL,
    facts TEXT NOT NULL
) STRICT;
-- A user may belong to no account: one who was invited and has not joined, say.
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY,
    account_id INTEGER REFERENCES accounts,
    privileges TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS sites (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts,
    name TEXT NOT NULL,
    UNIQUE (account_id, id)
) STRICT;
CREATE TABLE IF NOT EXISTS api_keys (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts,
    secret_digest TEXT NOT NULL,
    sites TEXT NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT;
-- What a provider calls a subscription is unique where present: its webhooks find the row by it.
CREATE TABLE IF NOT EXISTS subscriptions (
    account_id INTEGER PRIMARY KEY REFERENCES accounts,
    stripe_subscription_id TEXT UNIQUE,
    paypal_subscription_id TEXT UNIQUE,
    version INTEGER NOT NULL,
    facts TEXT NOT NULL
) STRICT;
-- A claim's reference is unique within its account only, so nobody can take another's.
CREATE TABLE IF NOT EXISTS claims (
    account_id INTEGER NOT NULL REFERENCES accounts,
    reference TEXT NOT NULL,
    version INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account_id, reference)
) STRICT;
CREATE TABLE IF NOT EXISTS deposits (
    account_id INTEGER PRIMARY KEY REFERENCES accounts,
    version INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS invoices (
    account_id INTEGER NOT NULL REFERENCES accounts,
    provider TEXT NOT NULL,
    invoice TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account_id, provider, invoice),
    UNIQUE (provider, invoice)
) STRICT;
-- A reference belongs to one charge of all accounts, so a transfer that carries it cannot be mistaken.
CREATE TABLE IF NOT EXISTS charges (
    account_id INTEGER NOT NULL REFERENCES accounts,
    id TEXT NOT NULL,
    reference TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account_id, id)
) STRICT;
-- What was paid for a subscription. The wallet of the account follows it, in the same transaction.
CREATE TABLE IF NOT EXISTS paid_time (
    account_id INTEGER NOT NULL REFERENCES accounts,
    subscription_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account_id, subscription_id)
) STRICT;
CREATE TABLE IF NOT EXISTS wallets (
    account_id INTEGER PRIMARY KEY REFERENCES accounts,
    version INTEGER NOT NULL,
    facts TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS ledger (
    account_id INTEGER NOT NULL REFERENCES accounts,
    sequence INTEGER NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (account_id, sequence)
) STRICT;
CREATE TABLE IF NOT EXISTS outcomes (
    account_id INTEGER NOT NULL REFERENCES accounts,
    key TEXT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (account_id, key)
) STRICT;
-- The registries that are unique over all tenants; subjects outlive their accounts, so they reference none.
CREATE TABLE IF NOT EXISTS transfers (
    receiving_account TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    booked_on TEXT NOT NULL,
    retractions INTEGER NOT NULL,
    version INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (receiving_account, transaction_id, booked_on, retractions)
) STRICT;
CREATE TABLE IF NOT EXISTS registrations (
    subject TEXT NOT NULL,
    key TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (subject, key)
) STRICT;
CREATE TABLE IF NOT EXISTS subjects (
    subject TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS articles (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,
    site_id INTEGER NOT NULL,
    request TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (account_id, request),
    FOREIGN KEY (account_id, site_id) REFERENCES sites (account_id, id)
) STRICT;
