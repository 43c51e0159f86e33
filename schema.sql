-- The whole current schema; safe to run again. Two parts, because the second may live on another server.

-- >>> control

-- <<< control

-- >>> accounting

-- <<< accounting
