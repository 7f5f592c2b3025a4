// A store as the first format made it, before responses belonged to keys, with one response in it.

import type { StoredResponse } from "../../../store/store.ts";
import type { Database } from "../database.ts";

export async function makeFormat1(database: Database, kept: StoredResponse): Promise<void> {
  const record = JSON.stringify(kept);
  const tables = [
    `create table gpt_oss_store (format integer primary key)`,
    `insert into gpt_oss_store (format) values (1)`,
    `create table gpt_oss_owners (
      id text primary key, place text not null, pid bigint not null, expires_at bigint not null)`,
    `create table gpt_oss_responses (
      id text primary key, owner text, cancel integer not null default 0, put_at bigint not null,
      bytes bigint not null, event_bytes bigint not null default 0, version text not null, record text not null)`,
    `create index gpt_oss_responses_age on gpt_oss_responses (put_at, id, owner, bytes, event_bytes)`,
    `create index gpt_oss_responses_owner on gpt_oss_responses (owner) where owner is not null`,
    `create table gpt_oss_items (
      item_id text not null, response_id text not null references gpt_oss_responses (id) on delete cascade,
      primary key (item_id, response_id))`,
    `create index gpt_oss_items_response on gpt_oss_items (response_id)`,
    `create table gpt_oss_events (
      response_id text not null references gpt_oss_responses (id) on delete cascade,
      first bigint not null, last bigint not null, chunk text not null, primary key (response_id, first))`,
  ];
  const [item] = kept.output;
  await database.run([
    ...tables.map((sql) => ({ sql, values: [] })),
    {
      sql: `insert into gpt_oss_responses (id, put_at, bytes, version, record)
        values ($1, cast($2 as bigint), cast($3 as bigint), 'first', $4)`,
      values: [kept.id, Date.now(), record.length, record],
    },
    {
      sql: `insert into gpt_oss_items (item_id, response_id) values ($1, $2)`,
      values: [item.id, kept.id],
    },
  ]);
}
