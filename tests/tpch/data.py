"""The tables of TPC-H, made by a few lines of SQL: the specification's shapes and odds, not its texts.

They are made by hashing, so equal sizes give equal tables. The specification's words are fewer
here, so that each question finds something in a small table.
"""

from __future__ import annotations

import duckdb

NATIONS = (
    "ALGERIA:0 ARGENTINA:1 BRAZIL:1 CANADA:1 EGYPT:4 ETHIOPIA:0 FRANCE:3 GERMANY:3 INDIA:2 INDONESIA:2 IRAN:4 "
    "IRAQ:4 JAPAN:2 JORDAN:4 KENYA:0 MOROCCO:0 MOZAMBIQUE:0 PERU:1 CHINA:2 ROMANIA:3 SAUDI_ARABIA:4 VIETNAM:2 "
    "RUSSIA:3 UNITED_KINGDOM:3 UNITED_STATES:1"
)

_TABLES = """
CREATE MACRO draw(key, what, n) AS CAST(hash(key, what) % n AS BIGINT);
CREATE MACRO one_of(key, what, words) AS
  string_split(words, ' ')[1 + draw(key, what, len(string_split(words, ' ')))];
CREATE MACRO money(cents) AS CAST(cents / 100 AS DECIMAL(15, 2));
CREATE MACRO phone(key, nation) AS
  printf('%d-%03d-%03d-%04d', nation + 10, draw(key, 'a', 900) + 100, draw(key, 'b', 900) + 100, draw(key, 'c', 9000));
CREATE MACRO supplier_of(part, n, suppliers) AS
  (part + n * (suppliers // 4 + (part - 1) // suppliers)) % suppliers + 1;

CREATE TABLE region AS
SELECT CAST(n - 1 AS BIGINT) AS r_regionkey, r_name
FROM (SELECT unnest(['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST']) AS r_name,
             unnest(range(1, 6)) AS n);

CREATE TABLE nation AS
SELECT CAST(n - 1 AS BIGINT) AS n_nationkey,
       replace(string_split(word, ':')[1], '_', ' ') AS n_name,
       CAST(string_split(word, ':')[2] AS BIGINT) AS n_regionkey
FROM (SELECT unnest(string_split($nations, ' ')) AS word, unnest(range(1, 26)) AS n);

CREATE TABLE supplier AS
SELECT k AS s_suppkey, printf('Supplier#%09d', k) AS s_name, printf('%d Dock Road', k) AS s_address,
       draw(k, 'nation', 25) AS s_nationkey, phone(k, draw(k, 'nation', 25)) AS s_phone,
       money(draw(k, 'balance', 1100000) - 100000) AS s_acctbal,
       CASE WHEN k % 9 = 0 THEN 'quiet Customer loud Complaints' ELSE 'quiet' END AS s_comment
FROM (SELECT unnest(range(1, $suppliers + 1)) AS k);

CREATE TABLE part AS
SELECT k AS p_partkey,
       concat_ws(' ', one_of(k, 1, $colours), one_of(k, 2, $colours), one_of(k, 3, $colours)) AS p_name,
       printf('Manufacturer#%d', 1 + draw(k, 'brand', 5)) AS p_mfgr,
       printf('Brand#%d%d', 1 + draw(k, 'brand', 5), 1 + draw(k, 'maker', 5)) AS p_brand,
       concat_ws(' ', one_of(k, 4, 'STANDARD SMALL MEDIUM ECONOMY PROMO'),
                 one_of(k, 5, 'ANODIZED PLATED POLISHED'), one_of(k, 6, 'TIN BRASS STEEL')) AS p_type,
       1 + draw(k, 'size', 50) AS p_size,
       one_of(k, 7, 'SM MED LG') || ' ' || one_of(k, 8, 'CASE BOX PKG PACK BAG') AS p_container,
       money(90000 + draw(k, 'price', 100000)) AS p_retailprice
FROM (SELECT unnest(range(1, $suppliers * 20 + 1)) AS k);

CREATE TABLE partsupp AS
SELECT p_partkey AS ps_partkey, CAST(supplier_of(p_partkey, n, $suppliers) AS BIGINT) AS ps_suppkey,
       1 + draw(p_partkey * 4 + n, 'stock', 9999) AS ps_availqty,
       money(100 + draw(p_partkey * 4 + n, 'cost', 99900)) AS ps_supplycost
FROM part, (SELECT unnest(range(0, 4)) AS n);

CREATE TABLE customer AS
SELECT k AS c_custkey, printf('Customer#%09d', k) AS c_name, printf('%d Main Street', k) AS c_address,
       draw(k, 'home', 25) AS c_nationkey, phone(k, draw(k, 'home', 25)) AS c_phone,
       money(draw(k, 'balance', 1100000) - 100000) AS c_acctbal,
       one_of(k, 9, 'AUTOMOBILE BUILDING FURNITURE MACHINERY HOUSEHOLD') AS c_mktsegment,
       printf('remark %d', k) AS c_comment
FROM (SELECT unnest(range(1, $suppliers * 15 + 1)) AS k);

CREATE TABLE lineitem AS
WITH lines AS (
  SELECT o * 8 + n AS k, o AS l_orderkey, n AS l_linenumber,
         1 + draw(o * 8 + n, 'part', $suppliers * 20) AS l_partkey,
         CASE WHEN o % 200 = 0 THEN 50 ELSE 1 + draw(o * 8 + n, 'quantity', 50) END AS quantity,
         DATE '1992-01-01' + CAST(draw(o, 'day', 2406) AS INTEGER) AS ordered,
         1 + CAST(draw(o * 8 + n, 'ship', 121) AS INTEGER) AS ship,
         1 + CAST(draw(o * 8 + n, 'receipt', 30) AS INTEGER) AS receipt,
         30 + CAST(draw(o * 8 + n, 'commit', 61) AS INTEGER) AS commit
  FROM (SELECT unnest(range(1, $suppliers * 150 + 1)) AS o), (SELECT unnest(range(1, 8)) AS n)
  WHERE n <= CASE WHEN o % 200 = 0 THEN 7 ELSE 1 + draw(o, 'lines', 7) END
)
SELECT l_orderkey, l_linenumber, l_partkey,
       CAST(supplier_of(l_partkey, draw(k, 'supplier', 4), $suppliers) AS BIGINT) AS l_suppkey,
       CAST(quantity AS DECIMAL(15, 2)) AS l_quantity,
       CAST(quantity * p_retailprice AS DECIMAL(15, 2)) AS l_extendedprice,
       money(draw(k, 'discount', 11)) AS l_discount, money(draw(k, 'tax', 9)) AS l_tax,
       CASE WHEN ordered + ship + receipt > DATE '1995-06-17' THEN 'N'
            ELSE one_of(k, 10, 'R A') END AS l_returnflag,
       CASE WHEN ordered + ship > DATE '1995-06-17' THEN 'O' ELSE 'F' END AS l_linestatus,
       ordered + ship AS l_shipdate, ordered + commit AS l_commitdate,
       ordered + ship + receipt AS l_receiptdate,
       replace(one_of(k, 11, 'DELIVER_IN_PERSON COLLECT_COD NONE TAKE_BACK_RETURN'), '_', ' ') AS l_shipinstruct,
       replace(one_of(k, 12, 'REG_AIR AIR RAIL SHIP TRUCK MAIL FOB'), '_', ' ') AS l_shipmode
FROM lines JOIN part ON p_partkey = l_partkey;

CREATE TABLE orders AS
SELECT l_orderkey AS o_orderkey,
       1 + 3 * draw(l_orderkey, 'customer', $suppliers * 5) + draw(l_orderkey, 'which', 2) AS o_custkey,
       CASE WHEN bool_and(l_linestatus = 'F') THEN 'F' WHEN bool_and(l_linestatus = 'O') THEN 'O' ELSE 'P' END AS o_orderstatus,
       CAST(sum(l_extendedprice * (1 + l_tax) * (1 - l_discount)) AS DECIMAL(15, 2)) AS o_totalprice,
       DATE '1992-01-01' + CAST(draw(l_orderkey, 'day', 2406) AS INTEGER) AS o_orderdate,
       replace(one_of(l_orderkey, 13, '1-URGENT 2-HIGH 3-MEDIUM 4-NOT_SPECIFIED 5-LOW'), '_', ' ') AS o_orderpriority,
       CAST(0 AS BIGINT) AS o_shippriority,
       CASE WHEN l_orderkey % 7 = 0 THEN 'special slow requests' ELSE 'plain' END AS o_comment
FROM lineitem GROUP BY l_orderkey;
"""

_COLOURS = "almond azure beige blue brown coral cream cyan forest frosted gold green grey honeydew"


def make_tables(duck: duckdb.DuckDBPyConnection, suppliers: int) -> None:
    """Make the eight tables; each supplier brings 150 orders. 100 suppliers are scale 0.01."""
    parameters = {
        "nations": f"'{NATIONS}'",
        "colours": f"'{_COLOURS}'",
        "suppliers": str(suppliers),
    }
    sql = _TABLES
    for name, value in parameters.items():
        sql = sql.replace(f"${name}", value)
    duck.execute(sql)
