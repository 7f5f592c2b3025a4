// Every statement of the SQL store. A response is one row with its JSON; items are rows that lead from an item's id to
// the responses that hold it; events are kept in the chunks in which they came. `owner` is the process in which a
// response runs, and null once it has ended; `key_name` is the API key that it was made with, and null without one.

import type { Dialect } from "./database.ts";

/** Raised when a table changes; a store of a later format is refused, not guessed at. */
export const storeFormat = 2;

export function createTables({ lockSchema }: Dialect): readonly string[] {
  return [
    ...(lockSchema === undefined ? [] : [lockSchema]),
    `create table if not exists gpt_oss_store (format integer primary key)`,
    `insert into gpt_oss_store (format) select ${storeFormat} where not exists (select 1 from gpt_oss_store)`,
    `create table if not exists gpt_oss_owners (
      id text primary key, place text not null, pid bigint not null, expires_at bigint not null)`,
    `create table if not exists gpt_oss_responses (
      id text primary key, owner text, cancel integer not null default 0, put_at bigint not null,
      bytes bigint not null, event_bytes bigint not null default 0, version text not null, record text not null, key_name text)`,
    `create index if not exists gpt_oss_responses_age on gpt_oss_responses (put_at, id, owner, bytes, event_bytes)`,
    `create index if not exists gpt_oss_responses_owner on gpt_oss_responses (owner) where owner is not null`,
    `create table if not exists gpt_oss_items (
      item_id text not null, response_id text not null references gpt_oss_responses (id) on delete cascade,
      primary key (item_id, response_id))`,
    `create index if not exists gpt_oss_items_response on gpt_oss_items (response_id)`,
    `create table if not exists gpt_oss_events (
      response_id text not null references gpt_oss_responses (id) on delete cascade,
      first bigint not null, last bigint not null, chunk text not null, primary key (response_id, first))`,
  ];
}

/** What makes a store of an older format one of this, by that format; each in one transaction. */
export const upgrades: Readonly<Record<number, readonly string[]>> = {
  // What was stored before there were names belongs to no key.
  1: [`alter table gpt_oss_responses add column key_name text`, `update gpt_oss_store set format = 2`],
};

/** What callers with a key, or without one, may see. */
const isOf = (keyName: string): string => `key_name is not distinct from cast(${keyName} as text)`;
const isVisible = (oldest: string, keyName: string): string =>
  `(owner is not null or put_at >= ${oldest}) and ${isOf(keyName)}`;

export const statements = ({ now, each }: Dialect) => ({
  format: `select format from gpt_oss_store`,

  /**
   * $1 id, $2 owner or null, $3 time, $4 bytes, $5 version, $6 record, $7 the owner that must still have it, or null
   * where it may be new, $8 key name or null. What has ended does not run again.
   */
  put: `
    insert into gpt_oss_responses (id, owner, put_at, bytes, version, record, key_name)
    select cast($1 as text), cast($2 as text), cast($3 as bigint), cast($4 as bigint), cast($5 as text),
      cast($6 as text), cast($8 as text)
    where cast($7 as text) is null or exists (select 1 from gpt_oss_responses where id = $1 and owner = $7)
    on conflict (id) do update set owner = excluded.owner, put_at = excluded.put_at, bytes = excluded.bytes,
      version = excluded.version, record = excluded.record, key_name = excluded.key_name
    where gpt_oss_responses.owner is not null or excluded.owner is null
    returning id`,
  /** $1 id, $2 version: nothing happens where the put before it was ignored. */
  forgetItems: `
    delete from gpt_oss_items where response_id = $1
      and exists (select 1 from gpt_oss_responses where id = $1 and version = $2)`,
  /** $1 id, $2 version, $3 item ids. */
  putItems: `
    insert into gpt_oss_items (item_id, response_id) select item, cast($1 as text) from ${each("$3")}
    where exists (select 1 from gpt_oss_responses where id = $1 and version = $2)
    on conflict do nothing`,

  /** For these three: $1 id, $2 the oldest time that is given out, $3 key name or null. */
  get: `select record from gpt_oss_responses where id = $1 and ${isVisible("$2", "$3")}`,
  delete: `delete from gpt_oss_responses where id = $1 and ${isVisible("$2", "$3")} returning id`,
  findItem: `
    select record from gpt_oss_items join gpt_oss_responses on id = response_id
    where item_id = $1 and ${isVisible("$2", "$3")} order by put_at desc, id desc limit 1`,

  /** $1 id, $2 first, $3 last, $4 chunk. */
  putEvents: `
    insert into gpt_oss_events (response_id, first, last, chunk)
    select id, cast($2 as bigint), cast($3 as bigint), cast($4 as text) from gpt_oss_responses where id = $1
    on conflict do nothing`,
  countEvents: `update gpt_oss_responses set event_bytes = event_bytes + $2 where id = $1`,
  /** $1 id, $2 after, $3 how many chunks, $4 key name or null. */
  events: `
    select chunk from gpt_oss_events where response_id = $1 and last > $2
      and exists (select 1 from gpt_oss_responses where id = $1 and ${isOf("$4")})
    order by first limit $3`,

  /** $1 the oldest time that is kept. */
  dropOld: `delete from gpt_oss_responses where owner is null and put_at < $1 returning id`,
  /** $1 how many, $2 how many bytes. Running ones count first and stay; then the newest. */
  dropExcess: `
    delete from gpt_oss_responses where id in (
      select id from (
        select id, owner, row_number() over latest as place, sum(bytes + event_bytes) over latest as total
        from gpt_oss_responses window latest as (order by (owner is null), put_at desc, id desc)
      ) ranked
      where owner is null and (place > $1 or total > $2))
    and (select count(*) > $1 or coalesce(sum(bytes + event_bytes), 0) > $2 from gpt_oss_responses)
    returning id`,

  /** $1 id, $2 key name or null. */
  requestCancel: `
    update gpt_oss_responses set cancel = 1 where id = $1 and owner is not null and ${isOf("$2")} returning owner`,
  /** $1 owner. */
  takeCancels: `update gpt_oss_responses set cancel = 0 where owner = $1 and cancel = 1 returning id`,

  /** $1 owner, $2 place, $3 pid, $4 lease in milliseconds. */
  renewLease: `
    insert into gpt_oss_owners (id, place, pid, expires_at)
    values ($1, $2, cast($3 as bigint), ${now} + cast($4 as bigint))
    on conflict (id) do update set expires_at = excluded.expires_at`,
  /** $1 place. */
  ownersAt: `select id, pid from gpt_oss_owners where place = $1`,
  /** $1 owner. */
  endLease: `delete from gpt_oss_owners where id = $1`,
  endExpiredLeases: `delete from gpt_oss_owners where expires_at < ${now}`,
  /** $1 the new owner. */
  claimAbandoned: `
    update gpt_oss_responses set owner = $1, cancel = 0
    where owner is not null and owner <> $1 and owner not in (select id from gpt_oss_owners)
    returning record`,
});
