// The questions in Malloy, through `compare.py`: node with_malloy.mjs FOLDER [one]
//
// FOLDER holds the `node_modules` with @malloydata/malloy and @malloydata/db-duckdb. The questions come
// from `questions.json` in the folder GENESIS_PROJECT. Malloy asks the database for the columns of its
// tables, so that empty ones stand there; its connection opens DuckDB, which the peers in Python need not.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [folder, mode] = process.argv.slice(2);
const require = createRequire(join(resolve(folder), "of_the_peer.js"));
const { SingleConnectionRuntime } = require("@malloydata/malloy");
const { DuckDBConnection } = require("@malloydata/db-duckdb");
const { entities, questions, cold } = JSON.parse(
  readFileSync(join(process.env.GENESIS_PROJECT, "questions.json"), "utf8"),
);

const TYPES = { string: "varchar", int64: "bigint", float64: "double", boolean: "boolean" };
const GROUPS = {
  status: "status",
  priority: "priority",
  segment: "customer.segment",
  nation: "customer.nation.name",
  clerk: "clerk.name",
};
const NUMBERS = {
  order_count: "count()",
  revenue: "total.sum()",
  mean_total: "total.avg()",
  customers: "count(customer_id)",
  late_revenue: "total.sum() { where: is_late }",
  lines: "items.count()",
  line_price: "items.price.sum()",
};

async function start() {
  const connection = new DuckDBConnection("duckdb", ":memory:");
  await connection.runSQL("create schema shop");
  for (const [name, [columns]] of Object.entries(entities)) {
    const typed = Object.entries(columns).map(([column, type]) => `${column} ${TYPES[type]}`);
    await connection.runSQL(`create table shop.${name} (${typed.join(", ")})`);
  }
  return new SingleConnectionRuntime({ connection }).loadModel(model());
}

// A source may only join one that stands above it, so that the joins' targets come first.
function model() {
  const written = new Map();
  const write = (name) => {
    if (written.has(name)) return;
    const [columns, joins] = entities[name];
    joins.forEach(([, other]) => write(other));
    const key = Object.keys(columns)[0];
    const joined = joins.map(([column, other]) => `  join_one: ${other} with ${column}\n`).join("");
    const start = `source: ${name} is duckdb.table('shop.${name}') extend {\n  primary_key: ${key}\n`;
    written.set(name, `${start}${joined}}\n`);
  };
  Object.keys(entities).forEach(write);
  const measures = Object.entries(NUMBERS).map(([name, sum]) => `  measure: ${name} is ${sum}\n`);
  // Lines join their orders above, and orders their lines here: a name for each direction.
  const lines = "  join_many: items is duckdb.table('shop.line') extend { primary_key: line_id }";
  const reported = `${lines} on order_id = items.order_id\n${measures.join("")}`;
  return `${[...written.values()].join("")}source: report is orders extend {\n${reported}}\n`;
}

async function ask(malloy, groups, numbers) {
  const columns = groups.map((name) => `${name}_ is ${GROUPS[name]}`).join(", ");
  const query = `run: report -> { group_by: ${columns} aggregate: ${numbers.join(", ")} }`;
  return malloy.loadQuery(query).getSQL();
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

async function answerAll(malloy) {
  const [times, answers, said] = [[], [], []];
  for (const [groups, numbers] of questions) {
    const began = process.cpuUsage();
    try {
      answers.push(await ask(malloy, groups, numbers));
    } catch (error) {
      answers.push(null);
      said.push(String(error).slice(0, 120));
      continue;
    }
    const { user, system } = process.cpuUsage(began);
    times.push((user + system) / 1000);
  }
  const manifest = readFileSync(join(folder, "node_modules/@malloydata/malloy/package.json"), "utf8");
  return {
    version: JSON.parse(manifest).version,
    median_ms: times.length ? median(times) : null,
    refused: said.length,
    said: said.at(-1) ?? "",
    megabytes: process.resourceUsage().maxRSS / 1024,
    sql: answers,
  };
}

const malloy = await start();
const said = mode === "one" ? await ask(malloy, ...questions[cold]) : JSON.stringify(await answerAll(malloy));
// The open database would keep the process, and its end cuts off what a pipe has not taken yet.
process.stdout.write(`${said}\n`, () => process.exit(0));
