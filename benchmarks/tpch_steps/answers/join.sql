select
    count(*) as rows,
    sum(l_extendedprice) as price,
    sum(o_totalprice) as total_price,
    count(distinct o_clerk) as clerks
from
    lineitem,
    orders
where
    l_orderkey = o_orderkey;
