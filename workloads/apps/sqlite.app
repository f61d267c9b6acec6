# sqlite.app - a database in memory: inserts, an index, joins, deletes.
version: 1
summary: SQLite in memory: 110,000 rows inserted, indexed, joined, updated, half of them deleted
source: written for Heapyard; most memory is pages of 4 KiB plus a page cache, most calls are short-lived
packages: sqlite3
needs: sqlite3
program: sqlite3
setup: cat >work.sql <<'END'
setup: create table item(id integer primary key, name text, price integer, note text);
setup: create table sale(item integer, day integer, amount integer);
setup: with recursive c(i) as (select 1 union all select i + 1 from c where i < 110000) insert into item select i, 'item' || (i * 7919 % 110017), i % 977, substr('abcdefghijklmnopqrstuvwxyz', 1, i % 26) from c;
setup: with recursive c(i) as (select 1 union all select i + 1 from c where i < 220000) insert into sale select i * 31 % 110000 + 1, i % 365, i % 11 from c;
setup: create index by_name on item(name);
setup: create index by_item on sale(item);
setup: select count(*), sum(price * amount) from item join sale on item.id = sale.item;
setup: select day, count(distinct name), group_concat(substr(name, 5, 2), '') from sale join item on item.id = sale.item where day < 20 group by day;
setup: update item set note = note || name where price % 5 = 0;
setup: select name, total(price), max(length(note)) from item group by substr(name, 1, 6) order by 2 desc limit 20;
setup: delete from item where id % 2 = 0;
setup: vacuum;
setup: select count(*), sum(length(note)), sum(price) from item;
setup: END
command: sqlite3 -batch -init work.sql :memory: .quit
output: same
score: cpu
