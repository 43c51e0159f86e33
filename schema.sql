-- The whole current schema of radiuscore. Safe to run again. PostgreSQL 15 or newer; no extension is needed.
--
-- `radiuscore migrate` runs this preamble and one part at a time, because the parts may live on two servers;
-- `psql -f schema.sql` puts both into one database. No statement names both schemas.
-- Whoever runs it owns everything. Two roles without login do the work (SET ROLE): radiuscore_isp serves one ISP and
-- sees the rows of current_setting('app.isp_id'), radiuscore_system serves workers, jobs, login and admins.

SET client_min_messages = warning;

DO $$
DECLARE
  server CONSTANT int := current_setting('server_version_num')::int;
  wanted text;
BEGIN
  IF server < 150000 THEN
    RAISE EXCEPTION 'radiuscore needs PostgreSQL 15 or newer, this is %', current_setting('server_version');
  END IF;
  FOREACH wanted IN ARRAY ARRAY['radiuscore_isp', 'radiuscore_system'] LOOP
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- roles belong to the whole server, and another database's migration was faster
    END;
    BEGIN
      IF NOT pg_has_role(current_user, wanted, CASE WHEN server < 160000 THEN 'MEMBER' ELSE 'SET' END) THEN
        EXECUTE format('GRANT %I TO CURRENT_USER', wanted)
          || CASE WHEN server < 160000 THEN '' ELSE ' WITH INHERIT FALSE, SET TRUE' END;
      END IF;
    EXCEPTION WHEN unique_violation THEN
      NULL;
    END;
  END LOOP;
END $$;

-- Row-level security on every table of a schema that has isp_id, and on isps. Forced, so that the owner needs a policy
-- too; a setting that is missing is an error, not an empty answer. Partitions are reached through their parent only.
CREATE OR REPLACE FUNCTION pg_temp.protect_tenants(of_schema text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  item record;
  only_own text;
BEGIN
  FOR item IN
    SELECT rel.oid::regclass AS name, rel.relname, pg_get_userbyid(rel.relowner) AS owner,
           rel.relrowsecurity AND rel.relforcerowsecurity AS protected
      FROM pg_class AS rel
     WHERE rel.relnamespace = of_schema::regnamespace
       AND rel.relkind IN ('r', 'p')
       AND NOT rel.relispartition
       AND (rel.relname = 'isps'
            OR EXISTS (SELECT FROM pg_attribute AS col
                        WHERE col.attrelid = rel.oid AND col.attname = 'isp_id' AND NOT col.attisdropped))
  LOOP
    CONTINUE WHEN item.protected
      AND 3 <= (SELECT count(*) FROM pg_policy WHERE polrelid = item.name AND polname IN ('owner', 'system', 'isp'));
    only_own := CASE item.relname WHEN 'isps' THEN 'id' ELSE 'isp_id' END || ' = current_setting(''app.isp_id'')::int';
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', item.name);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', item.name);
    EXECUTE format('DROP POLICY IF EXISTS owner ON %s', item.name);
    EXECUTE format('CREATE POLICY owner ON %s TO %I USING (true) WITH CHECK (true)', item.name, item.owner);
    EXECUTE format('DROP POLICY IF EXISTS system ON %s', item.name);
    EXECUTE format('CREATE POLICY system ON %s TO radiuscore_system USING (true) WITH CHECK (true)', item.name);
    EXECUTE format('DROP POLICY IF EXISTS isp ON %s', item.name);
    EXECUTE format('CREATE POLICY isp ON %s TO radiuscore_isp USING (%s) WITH CHECK (%2$s)', item.name, only_own);
  END LOOP;
END $$;

-- Grant INSERT and UPDATE column by column. No row ever moves to another ISP or gets another id, so those two are
-- never in an UPDATE; `hidden` names what this role may not write either.
CREATE OR REPLACE FUNCTION pg_temp.grant_writing(grantee name, tbl regclass, VARIADIC hidden name[] DEFAULT '{}')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  writable CONSTANT name[] := ARRAY(
    SELECT attname FROM pg_attribute
     WHERE attrelid = tbl AND attnum > 0 AND NOT attisdropped AND attname <> ALL (hidden) ORDER BY attnum);
  insertable CONSTANT text := (SELECT string_agg(quote_ident(c), ', ') FROM unnest(writable) AS c);
  updatable CONSTANT text := (SELECT string_agg(quote_ident(c), ', ') FROM unnest(writable) AS c
                               WHERE c NOT IN ('id', 'isp_id'));
BEGIN
  EXECUTE format('GRANT SELECT, INSERT (%s), UPDATE (%s), DELETE ON %s TO %I', insertable, updatable, tbl, grantee);
END $$;

-- >>> control

-- Configuration, people and money: small, related by composite foreign keys, every change logged for the workers.

CREATE SCHEMA IF NOT EXISTS control;
GRANT USAGE ON SCHEMA control TO radiuscore_isp, radiuscore_system;

CREATE TABLE IF NOT EXISTS control.schema_version (
  version    int PRIMARY KEY,
  name       text NOT NULL,
  sha256     text,
  applied_at timestamptz NOT NULL DEFAULT now()
);
DO $$ BEGIN
  IF (SELECT max(version) FROM control.schema_version) <> 1 THEN
    RAISE EXCEPTION 'schema control is at version %, this file is version 1: run radiuscore migrate',
      (SELECT max(version) FROM control.schema_version);
  END IF;
END $$;
INSERT INTO control.schema_version (version, name) VALUES (1, 'baseline') ON CONFLICT DO NOTHING;

-- Tables ---------------------------------------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS control.isps (
  id                           int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name                         varchar(100) NOT NULL,
  company_name                 varchar(200) NOT NULL,
  email                        varchar(120) NOT NULL UNIQUE,
  subscription_plan            varchar(50) NOT NULL DEFAULT 'basic'
                               CHECK (subscription_plan IN ('basic', 'pro', 'enterprise')),
  max_devices                  int DEFAULT 10 CHECK (max_devices >= 0),
  max_customers                int DEFAULT 100 CHECK (max_customers >= 0),
  api_key                      varchar(100) NOT NULL UNIQUE CHECK (api_key ~ '^[0-9a-f]{64}$'),
  previous_api_key             varchar(100) UNIQUE CHECK (previous_api_key ~ '^[0-9a-f]{64}$'),
  previous_api_key_expires_at  timestamptz,
  radius_secret                text,
  outgoing_radius_secret       text,
  outgoing_radius_secret_until timestamptz,
  time_zone                    text NOT NULL DEFAULT 'UTC',
  status                       text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  last_invoice_number          int NOT NULL DEFAULT 0 CHECK (last_invoice_number >= 0),
  created_at                   timestamptz NOT NULL DEFAULT now(),
  updated_at                   timestamptz NOT NULL DEFAULT now(),
  CHECK ((previous_api_key IS NULL) = (previous_api_key_expires_at IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS isps_email_folded ON control.isps (lower(email));

CREATE TABLE IF NOT EXISTS control.users (
  id                  bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id              int REFERENCES control.isps,
  email               varchar(120) NOT NULL UNIQUE,
  password_hash       text NOT NULL,
  first_name          varchar(50) NOT NULL DEFAULT '',
  last_name           varchar(50) NOT NULL DEFAULT '',
  role                text NOT NULL CHECK (role IN ('admin', 'isp_admin', 'isp_staff')),
  status              text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
  token_version       int NOT NULL DEFAULT 0,
  totp_secret         text,
  totp_enabled_at     timestamptz,
  totp_last_step      bigint,
  password_changed_at timestamptz NOT NULL DEFAULT now(),
  last_login_at       timestamptz,
  created_at          timestamptz NOT NULL DEFAULT now(),
  updated_at          timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  CHECK ((role = 'admin') = (isp_id IS NULL)),
  CHECK (totp_enabled_at IS NULL OR totp_secret IS NOT NULL)
);
CREATE UNIQUE INDEX IF NOT EXISTS users_email_folded ON control.users (lower(email));

CREATE TABLE IF NOT EXISTS control.refresh_tokens (
  id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  user_id    bigint NOT NULL REFERENCES control.users ON DELETE CASCADE,
  family     uuid NOT NULL,
  token_hash text NOT NULL UNIQUE CHECK (token_hash ~ '^[0-9a-f]{64}$'),
  issued_at  timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at    timestamptz,
  revoked_at timestamptz,
  address    inet,
  user_agent text
);
CREATE INDEX IF NOT EXISTS refresh_tokens_user ON control.refresh_tokens (user_id);
CREATE INDEX IF NOT EXISTS refresh_tokens_family ON control.refresh_tokens (family);
CREATE INDEX IF NOT EXISTS refresh_tokens_expiry ON control.refresh_tokens (expires_at);

CREATE TABLE IF NOT EXISTS control.recovery_codes (
  user_id   bigint NOT NULL REFERENCES control.users ON DELETE CASCADE,
  code_hash text NOT NULL,
  used_at   timestamptz,
  PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE IF NOT EXISTS control.login_throttle (
  key           text PRIMARY KEY,
  failures      int NOT NULL CHECK (failures >= 0),
  counted_since timestamptz NOT NULL,
  blocked_until timestamptz
);

CREATE TABLE IF NOT EXISTS control.service_plans (
  id                           bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id                       int NOT NULL REFERENCES control.isps,
  name                         varchar(100) NOT NULL,
  description                  text,
  status                       text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
  download_bps                 bigint NOT NULL DEFAULT 0 CHECK (download_bps >= 0),
  upload_bps                   bigint NOT NULL DEFAULT 0 CHECK (upload_bps >= 0),
  burst_download_bps           bigint NOT NULL DEFAULT 0 CHECK (burst_download_bps >= 0),
  burst_upload_bps             bigint NOT NULL DEFAULT 0 CHECK (burst_upload_bps >= 0),
  burst_threshold_download_bps bigint NOT NULL DEFAULT 0 CHECK (burst_threshold_download_bps >= 0),
  burst_threshold_upload_bps   bigint NOT NULL DEFAULT 0 CHECK (burst_threshold_upload_bps >= 0),
  burst_time_s                 int NOT NULL DEFAULT 0 CHECK (burst_time_s >= 0),
  priority                     smallint NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 8),
  min_download_bps             bigint NOT NULL DEFAULT 0 CHECK (min_download_bps >= 0),
  min_upload_bps               bigint NOT NULL DEFAULT 0 CHECK (min_upload_bps >= 0),
  rate_limit                   text CHECK (octet_length(rate_limit) BETWEEN 1 AND 247),
  session_timeout_s            int CHECK (session_timeout_s > 0),
  idle_timeout_s               int CHECK (idle_timeout_s > 0),
  interim_interval_s           int DEFAULT 300 CHECK (interim_interval_s >= 60),
  framed_pool                  text CHECK (octet_length(framed_pool) BETWEEN 1 AND 253),
  framed_ipv6_pool             text CHECK (octet_length(framed_ipv6_pool) BETWEEN 1 AND 253),
  delegated_ipv6_pool          text CHECK (octet_length(delegated_ipv6_pool) BETWEEN 1 AND 247),
  address_list                 text CHECK (octet_length(address_list) BETWEEN 1 AND 247),
  mikrotik_group               text CHECK (octet_length(mikrotik_group) BETWEEN 1 AND 247),
  login_hours                  int4multirange NOT NULL DEFAULT '{}' CHECK (login_hours <@ '{[0,10080)}'::int4multirange),
  simultaneous_use             int CHECK (simultaneous_use > 0),
  simultaneous_use_mode        text NOT NULL DEFAULT 'soft' CHECK (simultaneous_use_mode IN ('soft', 'strict')),
  expired_action               text NOT NULL DEFAULT 'reject' CHECK (expired_action IN ('reject', 'walled_garden')),
  walled_garden_address_list   text CHECK (octet_length(walled_garden_address_list) BETWEEN 1 AND 247),
  walled_garden_pool           text CHECK (octet_length(walled_garden_pool) BETWEEN 1 AND 253),
  walled_garden_download_bps   bigint CHECK (walled_garden_download_bps >= 0),
  walled_garden_upload_bps     bigint CHECK (walled_garden_upload_bps >= 0),
  walled_garden_rate_limit     text CHECK (octet_length(walled_garden_rate_limit) BETWEEN 1 AND 247),
  data_quota_octets            bigint CHECK (data_quota_octets > 0),
  time_quota_s                 bigint CHECK (time_quota_s > 0),
  quota_period                 text NOT NULL DEFAULT 'month' CHECK (quota_period IN ('day', 'week', 'month')),
  quota_anchor_day             smallint NOT NULL DEFAULT 1 CHECK (quota_anchor_day BETWEEN 1 AND 31),
  quota_direction              text NOT NULL DEFAULT 'both' CHECK (quota_direction IN ('both', 'download', 'upload')),
  quota_action                 text NOT NULL DEFAULT 'throttle'
                               CHECK (quota_action IN ('throttle', 'walled_garden', 'block')),
  throttle_download_bps        bigint CHECK (throttle_download_bps >= 0),
  throttle_upload_bps          bigint CHECK (throttle_upload_bps >= 0),
  throttle_rate_limit          text CHECK (octet_length(throttle_rate_limit) BETWEEN 1 AND 247),
  price                        numeric(14,4) NOT NULL DEFAULT 0 CHECK (price >= 0),
  currency                     char(3) NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
  billing_period               text NOT NULL DEFAULT 'month'
                               CHECK (billing_period IN ('day', 'week', 'month', 'quarter', 'year', 'once')),
  created_at                   timestamptz NOT NULL DEFAULT now(),
  updated_at                   timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  UNIQUE (isp_id, name),
  CHECK (quota_period <> 'week' OR quota_anchor_day <= 7)
);

-- True where a source is so wide that only an admin may register it, and only with Message-Authenticator required.
CREATE OR REPLACE FUNCTION control.has_wide_source(sources cidr[]) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(bool_or(masklen(s) < CASE family(s) WHEN 4 THEN 24 ELSE 48 END), false) FROM unnest(sources) AS s $$;

CREATE TABLE IF NOT EXISTS control.devices (
  id                            bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id                        int NOT NULL REFERENCES control.isps,
  username                      text,
  password                      text,
  api_key                       text,
  device_name                   varchar(100) NOT NULL,
  device_ip                     inet NOT NULL CHECK (device_ip = host(device_ip)::inet),
  device_model                  varchar(100),
  location                      varchar(200),
  notes                         text,
  radius_sources                cidr[] NOT NULL DEFAULT '{}' CHECK (cardinality(radius_sources) <= 100),
  radius_secret                 text,
  outgoing_radius_secret        text,
  outgoing_radius_secret_until  timestamptz,
  nas_identifier                text CHECK (octet_length(nas_identifier) BETWEEN 1 AND 253),
  coa_port                      int NOT NULL DEFAULT 3799 CHECK (coa_port BETWEEN 1 AND 65535),
  api_port                      int CHECK (api_port BETWEEN 1 AND 65535),
  ssh_port                      int CHECK (ssh_port BETWEEN 1 AND 65535),
  use_tls                       boolean NOT NULL DEFAULT false,
  tls_fingerprint               text CHECK (tls_fingerprint ~ '^[0-9a-f]{64}$'),
  ssh_host_key                  text,
  require_message_authenticator text NOT NULL DEFAULT 'auto'
                                CHECK (require_message_authenticator IN ('no', 'yes', 'auto')),
  message_authenticator_seen_at timestamptz,
  limit_proxy_state             boolean NOT NULL DEFAULT true,
  swap_octets                   boolean NOT NULL DEFAULT false,
  proved_at                     timestamptz,
  address_proofs                jsonb NOT NULL DEFAULT '{}',
  created_at                    timestamptz NOT NULL DEFAULT now(),
  updated_at                    timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  UNIQUE (isp_id, device_ip),
  CHECK (require_message_authenticator = 'yes' OR NOT control.has_wide_source(radius_sources))
);

-- Addresses from one to another. RANGE has no IF NOT EXISTS.
DO $$ BEGIN
  IF to_regtype('control.inetrange') IS NULL THEN
    CREATE TYPE control.inetrange AS RANGE (subtype = inet, multirange_type_name = control.inetmultirange);
  END IF;
END $$;

-- True where the ranges are of addresses of one family, both ends included, and hold whole leases of that length.
CREATE OR REPLACE FUNCTION control.are_pool_ranges(ranges control.inetmultirange, lease_length int) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT count(*) BETWEEN 1 AND 1000
         AND bool_and(NOT lower_inf(r) AND NOT upper_inf(r) AND lower_inc(r) AND upper_inc(r)
                      AND family(lower(r)) = family(upper(r))
                      AND family(lower(r)) = CASE lease_length WHEN 32 THEN 4 ELSE 6 END
                      AND masklen(lower(r)) = CASE lease_length WHEN 32 THEN 32 ELSE 128 END
                      AND masklen(upper(r)) = masklen(lower(r))
                      AND lower(r) = host(network(set_masklen(lower(r), lease_length)))::inet
                      AND upper(r) = host(broadcast(set_masklen(upper(r), lease_length)))::inet)
        FROM unnest(ranges) AS r $$;

-- Central pools: addresses that the server gives, to the customers of plans that name the pool. No address of an ISP is
-- in two pools, so that a lease is known by its address alone.
CREATE TABLE IF NOT EXISTS control.address_pools (
  id            bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id        int NOT NULL REFERENCES control.isps,
  name          text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 247),
  prefix_length smallint NOT NULL DEFAULT 32 CHECK (prefix_length = 32 OR prefix_length BETWEEN 40 AND 128),
  ranges        control.inetmultirange NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  UNIQUE (isp_id, name),
  CHECK (control.are_pool_ranges(ranges, prefix_length)),
  EXCLUDE USING gist (int4range(isp_id, isp_id, '[]') WITH &&, ranges WITH &&)
);

-- True where every route fits an attribute, and all of them a reply.
CREATE OR REPLACE FUNCTION control.are_routes(routes text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT cardinality(routes) <= 12
             AND coalesce(bool_and(r IS NOT NULL AND octet_length(r) BETWEEN 1 AND 253), true) FROM unnest(routes) AS r $$;

CREATE TABLE IF NOT EXISTS control.customers (
  id                    bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id                int NOT NULL REFERENCES control.isps,
  username              text COLLATE "C" NOT NULL CHECK (octet_length(username) BETWEEN 1 AND 253),
  username_key          text COLLATE "C" NOT NULL CHECK (octet_length(username_key) BETWEEN 1 AND 1024),
  password              text,
  service_plan_id       bigint,
  status                text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'unpaid', 'suspended')),
  expires_at            timestamptz,
  framed_ip_address     inet CHECK (family(framed_ip_address) = 4 AND masklen(framed_ip_address) = 32),
  framed_ipv6_prefix    cidr CHECK (family(framed_ipv6_prefix) = 6),
  delegated_ipv6_prefix cidr CHECK (family(delegated_ipv6_prefix) = 6),
  framed_routes         text[] NOT NULL DEFAULT '{}' CHECK (control.are_routes(framed_routes)),
  mac_addresses         macaddr[] NOT NULL DEFAULT '{}' CHECK (cardinality(mac_addresses) <= 20),
  simultaneous_use      int CHECK (simultaneous_use > 0),
  download_bps          bigint CHECK (download_bps >= 0),
  upload_bps            bigint CHECK (upload_bps >= 0),
  rate_limit            text CHECK (octet_length(rate_limit) BETWEEN 1 AND 247),
  address_list          text CHECK (octet_length(address_list) BETWEEN 1 AND 247),
  quota_state           text CHECK (quota_state IN ('throttle', 'walled_garden', 'block')),
  quota_until           timestamptz,
  quota_warned_at       timestamptz,
  full_name             varchar(200),
  email                 varchar(120),
  phone                 varchar(40),
  notes                 text,
  created_at            timestamptz NOT NULL DEFAULT now(),
  updated_at            timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  UNIQUE (isp_id, username_key),
  FOREIGN KEY (isp_id, service_plan_id) REFERENCES control.service_plans (isp_id, id),
  CHECK (quota_until IS NULL OR quota_state IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS customers_plan ON control.customers (isp_id, service_plan_id);
CREATE INDEX IF NOT EXISTS customers_expiry ON control.customers (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS customers_quota ON control.customers (quota_until) WHERE quota_state IS NOT NULL;

-- The routers a customer may log in through; none is any. A listed device is not deleted silently: that would widen it.
CREATE TABLE IF NOT EXISTS control.customer_devices (
  isp_id      int NOT NULL,
  customer_id bigint NOT NULL,
  device_id   bigint NOT NULL,
  PRIMARY KEY (isp_id, customer_id, device_id),
  FOREIGN KEY (isp_id, customer_id) REFERENCES control.customers (isp_id, id) ON DELETE CASCADE,
  FOREIGN KEY (isp_id, device_id) REFERENCES control.devices (isp_id, id)
);
CREATE INDEX IF NOT EXISTS customer_devices_device ON control.customer_devices (isp_id, device_id);

CREATE TABLE IF NOT EXISTS control.quota_topups (
  id          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id      int NOT NULL,
  customer_id bigint NOT NULL,
  octets      bigint CHECK (octets > 0),
  seconds     bigint CHECK (seconds > 0),
  valid_from  timestamptz NOT NULL DEFAULT now(),
  valid_until timestamptz,
  note        text,
  created_by  bigint,
  created_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  FOREIGN KEY (isp_id, customer_id) REFERENCES control.customers (isp_id, id) ON DELETE CASCADE,
  CHECK (octets IS NOT NULL OR seconds IS NOT NULL),
  CHECK (valid_until > valid_from)
);
CREATE INDEX IF NOT EXISTS quota_topups_customer ON control.quota_topups (isp_id, customer_id, valid_from);

CREATE TABLE IF NOT EXISTS control.invoices (
  id           bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id       int NOT NULL REFERENCES control.isps,
  customer_id  bigint,
  number       int NOT NULL CHECK (number > 0),
  status       text NOT NULL DEFAULT 'open' CHECK (status IN ('draft', 'open', 'paid', 'void')),
  bill_to      text NOT NULL DEFAULT '',
  currency     char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  subtotal     numeric(14,4) NOT NULL DEFAULT 0,
  tax          numeric(14,4) NOT NULL DEFAULT 0,
  total        numeric(14,4) NOT NULL DEFAULT 0,
  period_start date,
  period_end   date,
  issued_on    date NOT NULL DEFAULT CURRENT_DATE,
  due_on       date,
  paid_at      timestamptz,
  notes        text,
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  UNIQUE (isp_id, number),
  FOREIGN KEY (isp_id, customer_id) REFERENCES control.customers (isp_id, id) ON DELETE SET NULL (customer_id),
  CHECK (total = subtotal + tax),
  CHECK (period_end > period_start)
);
CREATE INDEX IF NOT EXISTS invoices_customer ON control.invoices (isp_id, customer_id);
-- Generating a period's invoices twice makes one invoice.
CREATE UNIQUE INDEX IF NOT EXISTS invoices_once_per_period
  ON control.invoices (isp_id, customer_id, period_start) WHERE status <> 'void';

CREATE TABLE IF NOT EXISTS control.invoice_lines (
  isp_id          int NOT NULL,
  invoice_id      bigint NOT NULL,
  line            smallint NOT NULL CHECK (line > 0),
  description     text NOT NULL,
  service_plan_id bigint,
  quantity        numeric(14,4) NOT NULL DEFAULT 1,
  unit_price      numeric(14,4) NOT NULL,
  amount          numeric(14,4) NOT NULL,
  PRIMARY KEY (isp_id, invoice_id, line),
  FOREIGN KEY (isp_id, invoice_id) REFERENCES control.invoices (isp_id, id) ON DELETE CASCADE,
  FOREIGN KEY (isp_id, service_plan_id) REFERENCES control.service_plans (isp_id, id)
    ON DELETE SET NULL (service_plan_id)
);
CREATE INDEX IF NOT EXISTS invoice_lines_plan ON control.invoice_lines (isp_id, service_plan_id);

CREATE TABLE IF NOT EXISTS control.payments (
  id          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id      int NOT NULL,
  invoice_id  bigint NOT NULL,
  amount      numeric(14,4) NOT NULL CHECK (amount <> 0),
  currency    char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  method      varchar(40) NOT NULL DEFAULT '',
  reference   varchar(200),
  paid_at     timestamptz NOT NULL DEFAULT now(),
  recorded_by bigint,
  created_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  FOREIGN KEY (isp_id, invoice_id) REFERENCES control.invoices (isp_id, id)
);
CREATE INDEX IF NOT EXISTS payments_invoice ON control.payments (isp_id, invoice_id);

CREATE TABLE IF NOT EXISTS control.voucher_batches (
  id              bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id          int NOT NULL REFERENCES control.isps,
  service_plan_id bigint NOT NULL,
  name            varchar(100) NOT NULL,
  validity_s      bigint CHECK (validity_s > 0),
  expires_at      timestamptz,
  price           numeric(14,4) CHECK (price >= 0),
  currency        char(3) CHECK (currency ~ '^[A-Z]{3}$'),
  created_by      bigint,
  created_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  FOREIGN KEY (isp_id, service_plan_id) REFERENCES control.service_plans (isp_id, id)
);

CREATE INDEX IF NOT EXISTS voucher_batches_plan ON control.voucher_batches (isp_id, service_plan_id);

-- A voucher is a customer whose username is the code; its clock starts at the first login.
CREATE TABLE IF NOT EXISTS control.vouchers (
  id           bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id       int NOT NULL,
  batch_id     bigint NOT NULL,
  customer_id  bigint NOT NULL,
  status       text NOT NULL DEFAULT 'unused' CHECK (status IN ('unused', 'active', 'expired', 'revoked')),
  activated_at timestamptz,
  created_at   timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  UNIQUE (isp_id, customer_id),
  FOREIGN KEY (isp_id, batch_id) REFERENCES control.voucher_batches (isp_id, id),
  FOREIGN KEY (isp_id, customer_id) REFERENCES control.customers (isp_id, id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS vouchers_batch ON control.vouchers (isp_id, batch_id);

CREATE TABLE IF NOT EXISTS control.device_status (
  isp_id             int NOT NULL,
  device_id          bigint NOT NULL,
  state              text NOT NULL DEFAULT 'unknown' CHECK (state IN ('unknown', 'online', 'offline')),
  checked_at         timestamptz,
  seen_at            timestamptz,
  changed_at         timestamptz,
  error              text,
  identity           text,
  model              text,
  version            text,
  serial_number      text,
  uptime_s           bigint CHECK (uptime_s >= 0),
  cpu_percent        smallint CHECK (cpu_percent BETWEEN 0 AND 100),
  memory_free_octets bigint CHECK (memory_free_octets >= 0),
  client_count       int CHECK (client_count >= 0),
  interfaces         jsonb,
  PRIMARY KEY (isp_id, device_id),
  FOREIGN KEY (isp_id, device_id) REFERENCES control.devices (isp_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70);

CREATE TABLE IF NOT EXISTS control.device_backups (
  id          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id      int NOT NULL,
  device_id   bigint NOT NULL,
  kind        text NOT NULL CHECK (kind IN ('export', 'binary')),
  content     text NOT NULL,
  size_octets int NOT NULL CHECK (size_octets >= 0),
  sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  version     text,
  note        text,
  created_by  bigint,
  created_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  FOREIGN KEY (isp_id, device_id) REFERENCES control.devices (isp_id, id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS device_backups_device ON control.device_backups (isp_id, device_id, created_at);

-- What must happen to live sessions (CoA, Disconnect), and what came of it. `node` is the one whose address the router
-- answers. The server's own wishes have `due`; of those a session has one at most that waits.
CREATE TABLE IF NOT EXISTS control.reactions (
  id              bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id          int NOT NULL REFERENCES control.isps,
  device_id       bigint NOT NULL,
  customer_id     bigint,
  session_id      uuid NOT NULL,
  acct_session_id text COLLATE "C" NOT NULL,
  node            text NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('coa', 'disconnect')),
  cause           text NOT NULL,
  why             text,
  attributes      bytea NOT NULL DEFAULT '',
  due             bytea,
  state           text NOT NULL DEFAULT 'queued'
                  CHECK (state IN ('queued', 'sent', 'done', 'failed', 'expired', 'cancelled')),
  result          text CHECK (result IN ('applied', 'disconnected', 'already_gone', 'refused', 'no_answer')),
  error_cause     int,
  detail          text,
  attempts        smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  not_before      timestamptz NOT NULL DEFAULT now(),
  expires_at      timestamptz NOT NULL DEFAULT now() + interval '1 hour',
  requested_by    bigint,
  created_at      timestamptz NOT NULL DEFAULT now(),
  sent_at         timestamptz,
  finished_at     timestamptz,
  UNIQUE (isp_id, id),
  FOREIGN KEY (isp_id, device_id) REFERENCES control.devices (isp_id, id) ON DELETE CASCADE,
  CHECK ((finished_at IS NULL) = (state IN ('queued', 'sent')))
);
CREATE INDEX IF NOT EXISTS reactions_waiting ON control.reactions (node, not_before) WHERE state IN ('queued', 'sent');
CREATE INDEX IF NOT EXISTS reactions_device ON control.reactions (isp_id, device_id);
CREATE INDEX IF NOT EXISTS reactions_session ON control.reactions (isp_id, session_id);
CREATE INDEX IF NOT EXISTS reactions_age ON control.reactions (created_at);
CREATE UNIQUE INDEX IF NOT EXISTS reactions_wish ON control.reactions (isp_id, session_id, device_id, acct_session_id)
  WHERE state = 'queued' AND due IS NOT NULL;

CREATE TABLE IF NOT EXISTS control.webhooks (
  id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id     int NOT NULL REFERENCES control.isps,
  url        text NOT NULL CHECK (url ~ '^https?://'),
  events     text[] NOT NULL DEFAULT '{}',
  secret     text,
  enabled    boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id)
);

CREATE TABLE IF NOT EXISTS control.webhook_deliveries (
  id              bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id          int NOT NULL,
  webhook_id      bigint NOT NULL,
  event           text NOT NULL,
  payload         jsonb NOT NULL,
  attempts        smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  next_attempt_at timestamptz DEFAULT now(),
  response_status smallint,
  delivered_at    timestamptz,
  created_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (isp_id, id),
  FOREIGN KEY (isp_id, webhook_id) REFERENCES control.webhooks (isp_id, id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS webhook_deliveries_due
  ON control.webhook_deliveries (next_attempt_at) WHERE delivered_at IS NULL;
CREATE INDEX IF NOT EXISTS webhook_deliveries_webhook ON control.webhook_deliveries (isp_id, webhook_id);

-- Outlives the people and the ISPs it tells of, so nothing in it is a foreign key.
CREATE TABLE IF NOT EXISTS control.audit_log (
  id          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  isp_id      int,
  at          timestamptz NOT NULL DEFAULT now(),
  user_id     bigint,
  actor       text NOT NULL,
  action      text NOT NULL,
  target_type text,
  target_id   text,
  address     inet,
  request_id  text,
  details     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS audit_log_isp ON control.audit_log (isp_id, id);
CREATE INDEX IF NOT EXISTS audit_log_at ON control.audit_log (at);

CREATE TABLE IF NOT EXISTS control.idempotency_keys (
  isp_id          int REFERENCES control.isps ON DELETE CASCADE,
  principal       text NOT NULL,
  key             text NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 255),
  request_sha256  text NOT NULL CHECK (request_sha256 ~ '^[0-9a-f]{64}$'),
  response_status smallint,
  response        text,
  created_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE NULLS NOT DISTINCT (isp_id, principal, key)
);
CREATE INDEX IF NOT EXISTS idempotency_keys_age ON control.idempotency_keys (created_at);

-- One sealed known text per key id: a node whose keys do not open them refuses to start.
CREATE TABLE IF NOT EXISTS control.key_checks (
  key_id      text PRIMARY KEY,
  check_value text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now()
);

-- Which keys changed in which transaction; never a value. Read by difference of transaction snapshots.
CREATE TABLE IF NOT EXISTS control.change_log (
  seq     bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  xid     xid8 NOT NULL DEFAULT pg_current_xact_id(),
  at      timestamptz NOT NULL DEFAULT now(),
  isp_id  int NOT NULL,
  tbl     text NOT NULL,
  op      "char" NOT NULL,
  pk      bigint NOT NULL,
  key     text COLLATE "C",
  old_key text COLLATE "C"
);
CREATE INDEX IF NOT EXISTS change_log_xid ON control.change_log (xid);
CREATE INDEX IF NOT EXISTS change_log_at ON control.change_log (at);

-- Triggers -------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION control.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END $$;

-- The zone database knows the name, spelled like this; POSIX rules such as 'X+3' are no names.
CREATE OR REPLACE FUNCTION control.check_time_zone() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.time_zone <> 'UTC' AND NOT EXISTS (SELECT FROM pg_timezone_names WHERE name = NEW.time_zone) THEN
    RAISE check_violation USING
      MESSAGE = format('time zone "%s" is not in the IANA database', NEW.time_zone),
      SCHEMA = 'control', TABLE = 'isps', COLUMN = 'time_zone', CONSTRAINT = 'isps_time_zone_check';
  END IF;
  RETURN NEW;
END $$;

-- A proof belongs to an address: at another one the device starts unproved. Runs as whoever writes (current_user).
CREATE OR REPLACE FUNCTION control.guard_device() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  moved CONSTANT boolean := TG_OP = 'INSERT'
    OR (NEW.device_ip, NEW.radius_sources) IS DISTINCT FROM (OLD.device_ip, OLD.radius_sources);
BEGIN
  IF moved AND current_user = 'radiuscore_isp' AND control.has_wide_source(NEW.radius_sources) THEN
    RAISE insufficient_privilege USING
      MESSAGE = 'only an admin may register a source wider than /24 (IPv6: /48)',
      SCHEMA = 'control', TABLE = 'devices', COLUMN = 'radius_sources', CONSTRAINT = 'devices_wide_source_check';
  END IF;
  IF moved AND TG_OP = 'UPDATE' THEN
    NEW.proved_at := NULL;
    NEW.address_proofs := '{}';
    NEW.message_authenticator_seen_at := NULL;
  END IF;
  RETURN NEW;
END $$;

-- The log is written as its owner: those who change configuration may not touch it otherwise. pg_temp comes last, because
-- unnamed it would come first, and a caller's temporary type would stand for one of PostgreSQL's.
CREATE OR REPLACE FUNCTION control.log_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO control.change_log (isp_id, tbl, op, pk)
  VALUES (coalesce(NEW.isp_id, OLD.isp_id), TG_TABLE_NAME, left(TG_OP, 1)::"char", coalesce(NEW.id, OLD.id));
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION control.log_isp_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO control.change_log (isp_id, tbl, op, pk)
  VALUES (coalesce(NEW.id, OLD.id), TG_TABLE_NAME, left(TG_OP, 1)::"char", coalesce(NEW.id, OLD.id));
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION control.log_customer_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO control.change_log (isp_id, tbl, op, pk, key, old_key)
  VALUES (coalesce(NEW.isp_id, OLD.isp_id), TG_TABLE_NAME, left(TG_OP, 1)::"char", coalesce(NEW.id, OLD.id),
          NEW.username_key, nullif(OLD.username_key, NEW.username_key));
  RETURN NULL;
END $$;

-- A change of a customer's routers is a change of the customer.
CREATE OR REPLACE FUNCTION control.log_customer_device_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO control.change_log (isp_id, tbl, op, pk, key)
  SELECT isp_id, 'customers', 'U', id, username_key
    FROM control.customers
   WHERE isp_id = coalesce(NEW.isp_id, OLD.isp_id) AND id IN (NEW.customer_id, OLD.customer_id);
  RETURN NULL;
END $$;

-- Empty, because the log is what is read; delivered at commit, once per transaction.
CREATE OR REPLACE FUNCTION control.notify_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_notify('radiuscore_changes', '');
  RETURN NULL;
END $$;

-- Wakes the nodes that send; each takes its own.
CREATE OR REPLACE FUNCTION control.notify_reaction() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_notify('radiuscore_reactions', '');
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER touch_updated_at BEFORE UPDATE ON control.isps
  FOR EACH ROW EXECUTE FUNCTION control.touch_updated_at();
CREATE OR REPLACE TRIGGER touch_updated_at BEFORE UPDATE ON control.users
  FOR EACH ROW EXECUTE FUNCTION control.touch_updated_at();
CREATE OR REPLACE TRIGGER touch_updated_at BEFORE UPDATE ON control.service_plans
  FOR EACH ROW EXECUTE FUNCTION control.touch_updated_at();
CREATE OR REPLACE TRIGGER touch_updated_at BEFORE UPDATE ON control.address_pools
  FOR EACH ROW EXECUTE FUNCTION control.touch_updated_at();
CREATE OR REPLACE TRIGGER touch_updated_at BEFORE UPDATE ON control.devices
  FOR EACH ROW EXECUTE FUNCTION control.touch_updated_at();
CREATE OR REPLACE TRIGGER touch_updated_at BEFORE UPDATE ON control.customers
  FOR EACH ROW EXECUTE FUNCTION control.touch_updated_at();
CREATE OR REPLACE TRIGGER touch_updated_at BEFORE UPDATE ON control.invoices
  FOR EACH ROW EXECUTE FUNCTION control.touch_updated_at();
CREATE OR REPLACE TRIGGER touch_updated_at BEFORE UPDATE ON control.webhooks
  FOR EACH ROW EXECUTE FUNCTION control.touch_updated_at();

CREATE OR REPLACE TRIGGER check_time_zone BEFORE INSERT OR UPDATE OF time_zone ON control.isps
  FOR EACH ROW EXECUTE FUNCTION control.check_time_zone();
CREATE OR REPLACE TRIGGER guard_device BEFORE INSERT OR UPDATE ON control.devices
  FOR EACH ROW EXECUTE FUNCTION control.guard_device();

-- The columns named are those that a worker reads; a change of a note wakes nobody.
CREATE OR REPLACE TRIGGER log_change
  AFTER INSERT OR DELETE OR UPDATE OF name, radius_secret, outgoing_radius_secret, time_zone, status
  ON control.isps FOR EACH ROW EXECUTE FUNCTION control.log_isp_change();
CREATE OR REPLACE TRIGGER notify_change
  AFTER INSERT OR DELETE OR UPDATE OF name, radius_secret, outgoing_radius_secret, time_zone, status
  ON control.isps FOR EACH STATEMENT EXECUTE FUNCTION control.notify_change();

CREATE OR REPLACE TRIGGER log_change AFTER INSERT OR DELETE OR UPDATE ON control.service_plans
  FOR EACH ROW EXECUTE FUNCTION control.log_change();
CREATE OR REPLACE TRIGGER notify_change AFTER INSERT OR DELETE OR UPDATE ON control.service_plans
  FOR EACH STATEMENT EXECUTE FUNCTION control.notify_change();

CREATE OR REPLACE TRIGGER log_change AFTER INSERT OR DELETE OR UPDATE ON control.address_pools
  FOR EACH ROW EXECUTE FUNCTION control.log_change();
CREATE OR REPLACE TRIGGER notify_change AFTER INSERT OR DELETE OR UPDATE ON control.address_pools
  FOR EACH STATEMENT EXECUTE FUNCTION control.notify_change();

CREATE OR REPLACE TRIGGER log_change
  AFTER INSERT OR DELETE OR UPDATE OF device_name, device_ip, radius_sources, radius_secret, outgoing_radius_secret,
    nas_identifier, coa_port, require_message_authenticator, message_authenticator_seen_at, limit_proxy_state,
    swap_octets, proved_at, address_proofs
  ON control.devices FOR EACH ROW EXECUTE FUNCTION control.log_change();
CREATE OR REPLACE TRIGGER notify_change
  AFTER INSERT OR DELETE OR UPDATE OF device_name, device_ip, radius_sources, radius_secret, outgoing_radius_secret,
    nas_identifier, coa_port, require_message_authenticator, message_authenticator_seen_at, limit_proxy_state,
    swap_octets, proved_at, address_proofs
  ON control.devices FOR EACH STATEMENT EXECUTE FUNCTION control.notify_change();

CREATE OR REPLACE TRIGGER log_change
  AFTER INSERT OR DELETE OR UPDATE OF username, username_key, password, service_plan_id, status, expires_at,
    framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix, framed_routes, mac_addresses, simultaneous_use,
    download_bps, upload_bps, rate_limit, address_list, quota_state, quota_until
  ON control.customers FOR EACH ROW EXECUTE FUNCTION control.log_customer_change();
CREATE OR REPLACE TRIGGER notify_change
  AFTER INSERT OR DELETE OR UPDATE OF username, username_key, password, service_plan_id, status, expires_at,
    framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix, framed_routes, mac_addresses, simultaneous_use,
    download_bps, upload_bps, rate_limit, address_list, quota_state, quota_until
  ON control.customers FOR EACH STATEMENT EXECUTE FUNCTION control.notify_change();

CREATE OR REPLACE TRIGGER log_change AFTER INSERT OR DELETE OR UPDATE ON control.customer_devices
  FOR EACH ROW EXECUTE FUNCTION control.log_customer_device_change();
CREATE OR REPLACE TRIGGER notify_change AFTER INSERT OR DELETE OR UPDATE ON control.customer_devices
  FOR EACH STATEMENT EXECUTE FUNCTION control.notify_change();

CREATE OR REPLACE TRIGGER notify_reaction AFTER INSERT ON control.reactions
  FOR EACH STATEMENT EXECUTE FUNCTION control.notify_reaction();

-- Functions ------------------------------------------------------------------------------------------------------

-- Forget changes older than 48 hours; a worker whose mark is older than that loads everything again.
CREATE OR REPLACE FUNCTION control.prune_change_log() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH gone AS (DELETE FROM control.change_log WHERE at < now() - interval '48 hours' RETURNING 1)
  SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION control.prune_change_log() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION control.prune_change_log() TO radiuscore_system;

-- Rights ---------------------------------------------------------------------------------------------------------

SELECT pg_temp.protect_tenants('control');

GRANT USAGE ON ALL SEQUENCES IN SCHEMA control TO radiuscore_isp, radiuscore_system;

SELECT pg_temp.grant_writing('radiuscore_system', rel.oid::regclass)
  FROM pg_class AS rel
 WHERE rel.relnamespace = 'control'::regnamespace AND rel.relkind = 'r'
   AND rel.relname NOT IN ('schema_version', 'change_log', 'audit_log');
GRANT SELECT ON control.schema_version, control.change_log TO radiuscore_system;
GRANT SELECT, INSERT, DELETE ON control.audit_log TO radiuscore_system;

-- One ISP's requests. Limits and suspension are the admin's, proofs are the server's, the log is only written.
GRANT SELECT ON control.isps, control.device_status, control.webhook_deliveries TO radiuscore_isp;
GRANT UPDATE (name, company_name, email, api_key, previous_api_key, previous_api_key_expires_at, radius_secret,
              outgoing_radius_secret, outgoing_radius_secret_until, time_zone, last_invoice_number)
  ON control.isps TO radiuscore_isp;
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.users');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.service_plans');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.address_pools');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.devices', 'proved_at', 'address_proofs');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.customers');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.customer_devices');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.quota_topups');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.invoices');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.invoice_lines');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.voucher_batches');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.vouchers');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.webhooks');
SELECT pg_temp.grant_writing('radiuscore_isp', 'control.idempotency_keys');
GRANT SELECT, INSERT ON control.payments, control.reactions, control.audit_log TO radiuscore_isp;
GRANT SELECT, INSERT, DELETE ON control.device_backups TO radiuscore_isp;

-- Units and meanings ---------------------------------------------------------------------------------------------

COMMENT ON COLUMN control.isps.max_devices IS 'devices; NULL or 0 is unlimited';
COMMENT ON COLUMN control.isps.max_customers IS 'customers; NULL or 0 is unlimited';
COMMENT ON COLUMN control.isps.api_key IS 'SHA-256 of the key, hex';
COMMENT ON COLUMN control.isps.previous_api_key IS 'SHA-256 of the key before, hex; works until previous_api_key_expires_at';
COMMENT ON COLUMN control.isps.radius_secret IS 'sealed; for devices that have none of their own; at most 100 octets';
COMMENT ON COLUMN control.isps.outgoing_radius_secret IS 'sealed; accepted as well while the secret is rotated';
COMMENT ON COLUMN control.isps.outgoing_radius_secret_until IS 'when a job takes the outgoing secret away; NULL: by hand';
COMMENT ON COLUMN control.isps.time_zone IS 'IANA name; usage hours and days, quota periods and login hours are local to it';
COMMENT ON COLUMN control.isps.last_invoice_number IS 'locked and counted up in the transaction that makes an invoice';
COMMENT ON COLUMN control.users.password_hash IS 'argon2id, PHC string';
COMMENT ON COLUMN control.users.token_version IS 'counted up to end all of the user''s access tokens';
COMMENT ON COLUMN control.users.totp_secret IS 'sealed; RFC 6238';
COMMENT ON COLUMN control.users.totp_last_step IS '30-second steps since 1970; a step is accepted once';
COMMENT ON COLUMN control.refresh_tokens.family IS 'one login; a token of it used twice revokes them all';
COMMENT ON COLUMN control.refresh_tokens.token_hash IS 'SHA-256, hex';
COMMENT ON COLUMN control.recovery_codes.code_hash IS 'argon2id, PHC string';
COMMENT ON COLUMN control.login_throttle.key IS 'what is throttled: account:EMAIL or address:IP';
COMMENT ON COLUMN control.login_throttle.failures IS 'failed logins since counted_since';
COMMENT ON COLUMN control.service_plans.download_bps IS 'bit/s to the customer; 0 is unlimited';
COMMENT ON COLUMN control.service_plans.upload_bps IS 'bit/s from the customer; 0 is unlimited';
COMMENT ON COLUMN control.service_plans.burst_download_bps IS 'bit/s; 0 is no burst';
COMMENT ON COLUMN control.service_plans.burst_upload_bps IS 'bit/s; 0 is no burst';
COMMENT ON COLUMN control.service_plans.burst_threshold_download_bps IS 'bit/s, average that ends the burst';
COMMENT ON COLUMN control.service_plans.burst_threshold_upload_bps IS 'bit/s, average that ends the burst';
COMMENT ON COLUMN control.service_plans.burst_time_s IS 's, over which the average is taken';
COMMENT ON COLUMN control.service_plans.priority IS 'RouterOS queue priority 1 (highest) to 8; 0 is unset';
COMMENT ON COLUMN control.service_plans.min_download_bps IS 'bit/s guaranteed; 0 is none';
COMMENT ON COLUMN control.service_plans.min_upload_bps IS 'bit/s guaranteed; 0 is none';
COMMENT ON COLUMN control.service_plans.rate_limit IS 'whole Mikrotik-Rate-Limit, router''s view; overrides the speeds';
COMMENT ON COLUMN control.service_plans.session_timeout_s IS 's';
COMMENT ON COLUMN control.service_plans.idle_timeout_s IS 's';
COMMENT ON COLUMN control.service_plans.interim_interval_s IS 's, before jitter; NULL: the NAS decides';
COMMENT ON COLUMN control.service_plans.login_hours IS 'minutes of the ISP''s local week, 0 is Monday 00:00; empty is always';
COMMENT ON COLUMN control.service_plans.simultaneous_use IS 'sessions at once; NULL is unlimited';
COMMENT ON COLUMN control.service_plans.walled_garden_download_bps IS 'bit/s to the customer; NULL: as the plan';
COMMENT ON COLUMN control.service_plans.walled_garden_upload_bps IS 'bit/s from the customer; NULL: as the plan';
COMMENT ON COLUMN control.service_plans.data_quota_octets IS 'octets per quota_period; NULL is unlimited';
COMMENT ON COLUMN control.service_plans.time_quota_s IS 's online per quota_period; NULL is unlimited';
COMMENT ON COLUMN control.service_plans.quota_anchor_day IS 'day of month, or of week (1 is Monday), on which a period begins';
COMMENT ON COLUMN control.service_plans.throttle_download_bps IS 'bit/s to the customer once the quota is used up';
COMMENT ON COLUMN control.service_plans.throttle_upload_bps IS 'bit/s from the customer once the quota is used up';
COMMENT ON COLUMN control.service_plans.price IS 'per billing_period, in currency';
COMMENT ON COLUMN control.address_pools.prefix_length IS '32: IPv4 addresses; else IPv6 prefixes of this length. Give another length new ranges: leases do not change theirs';
COMMENT ON COLUMN control.address_pools.ranges IS 'first and last address, both included: {[10.0.0.2,10.0.0.254]}; prefixes: {[2001:db8::,2001:db8:0:ff:ffff:ffff:ffff:ffff]}';
COMMENT ON COLUMN control.devices.username IS 'for logging in to the router';
COMMENT ON COLUMN control.devices.password IS 'sealed; for logging in to the router';
COMMENT ON COLUMN control.devices.api_key IS 'sealed; what the router shows when it calls us (RouterOS itself has no API keys)';
COMMENT ON COLUMN control.devices.device_ip IS 'management address, and the RADIUS source unless radius_sources names others';
COMMENT ON COLUMN control.devices.radius_secret IS 'sealed; NULL: the ISP''s';
COMMENT ON COLUMN control.devices.outgoing_radius_secret IS 'sealed; accepted as well while the secret is rotated';
COMMENT ON COLUMN control.devices.outgoing_radius_secret_until IS 'when a job takes the outgoing secret away; NULL: by hand';
COMMENT ON COLUMN control.devices.coa_port IS 'UDP port';
COMMENT ON COLUMN control.devices.api_port IS 'TCP port, of the API over TLS where use_tls; NULL: MIKROTIK_API_PORT, or 8729 with TLS';
COMMENT ON COLUMN control.devices.ssh_port IS 'TCP port; NULL: MIKROTIK_SSH_PORT';
COMMENT ON COLUMN control.devices.tls_fingerprint IS 'SHA-256 of the router''s certificate, hex; NULL: not pinned';
COMMENT ON COLUMN control.devices.ssh_host_key IS 'kind and SHA-256 of the host key, as ssh-keygen -l shows them; NULL: taken at the first connection';
COMMENT ON COLUMN control.devices.message_authenticator_seen_at IS 'first valid one; makes auto mean yes; NULL sets it back';
COMMENT ON COLUMN control.devices.swap_octets IS 'the NAS counts input and output octets the wrong way round';
COMMENT ON COLUMN control.devices.proved_at IS 'when the owner first proved to own the address: verified packet or management login';
COMMENT ON COLUMN control.devices.address_proofs IS 'seconds since 1970 by address: the same for a device with a prefix or several sources';
COMMENT ON COLUMN control.customers.username_key IS 'names.username_key(username): what is unique and looked up';
COMMENT ON COLUMN control.customers.password IS 'sealed; NULL: a device known by its MAC address, which is its username';
COMMENT ON COLUMN control.customers.simultaneous_use IS 'sessions at once; NULL: as the plan';
COMMENT ON COLUMN control.customers.download_bps IS 'bit/s to the customer; NULL: as the plan';
COMMENT ON COLUMN control.customers.upload_bps IS 'bit/s from the customer; NULL: as the plan';
COMMENT ON COLUMN control.customers.rate_limit IS 'whole Mikrotik-Rate-Limit, router''s view; overrides the speeds';
COMMENT ON COLUMN control.customers.quota_state IS 'the quota''s action in force; written on crossing';
COMMENT ON COLUMN control.customers.quota_until IS 'when quota_state ends: the start of the next period';
COMMENT ON COLUMN control.customers.quota_warned_at IS 'when 80 % of the quota was last reached';
COMMENT ON COLUMN control.quota_topups.octets IS 'octets added to the data quota while valid';
COMMENT ON COLUMN control.quota_topups.seconds IS 's added to the time quota while valid';
COMMENT ON COLUMN control.quota_topups.created_by IS 'users.id; may be an admin of no ISP';
COMMENT ON COLUMN control.invoices.bill_to IS 'name and address as printed; outlives the customer';
COMMENT ON COLUMN control.invoices.period_end IS 'first day after the period';
COMMENT ON COLUMN control.invoices.subtotal IS 'in currency, before tax';
COMMENT ON COLUMN control.invoices.tax IS 'in currency';
COMMENT ON COLUMN control.invoices.total IS 'in currency';
COMMENT ON COLUMN control.invoice_lines.unit_price IS 'in the invoice''s currency, before tax';
COMMENT ON COLUMN control.invoice_lines.amount IS 'in the invoice''s currency, before tax';
COMMENT ON COLUMN control.payments.amount IS 'in currency; negative is a refund';
COMMENT ON COLUMN control.payments.recorded_by IS 'users.id; may be an admin of no ISP';
COMMENT ON COLUMN control.voucher_batches.validity_s IS 's from the first login; NULL: the plan''s limits only';
COMMENT ON COLUMN control.voucher_batches.price IS 'of one voucher, in currency';
COMMENT ON COLUMN control.voucher_batches.expires_at IS 'when unused vouchers lapse';
COMMENT ON COLUMN control.voucher_batches.created_by IS 'users.id; may be an admin of no ISP';
COMMENT ON COLUMN control.device_status.uptime_s IS 's';
COMMENT ON COLUMN control.device_status.cpu_percent IS '%';
COMMENT ON COLUMN control.device_status.memory_free_octets IS 'octets';
COMMENT ON COLUMN control.device_status.client_count IS 'customers connected: PPP, and the larger of hotspot and bound DHCP leases';
COMMENT ON COLUMN control.device_backups.content IS 'sealed';
COMMENT ON COLUMN control.device_backups.size_octets IS 'octets of the plain content';
COMMENT ON COLUMN control.device_backups.sha256 IS 'of the plain content, hex';
COMMENT ON COLUMN control.device_backups.created_by IS 'users.id; NULL: the schedule';
COMMENT ON COLUMN control.reactions.session_id IS 'the session''s id in the accounting database';
COMMENT ON COLUMN control.reactions.node IS 'the node that received the session''s accounting: the router answers no other';
COMMENT ON COLUMN control.reactions.attributes IS 'what a CoA-Request changes, encoded; empty for a disconnect';
COMMENT ON COLUMN control.reactions.due IS 'what the session should have then, encoded; empty: it should not be; NULL: somebody asked for it';
COMMENT ON COLUMN control.reactions.state IS 'sent: being asked now; failed: refused, or no answer to the last try; cancelled: no longer needed';
COMMENT ON COLUMN control.reactions.result IS 'of the latest try';
COMMENT ON COLUMN control.reactions.cause IS 'what made it needed, in a word';
COMMENT ON COLUMN control.reactions.why IS 'why a change was not enough, in a sentence for staff';
COMMENT ON COLUMN control.reactions.detail IS 'what went wrong, in a sentence for staff';
COMMENT ON COLUMN control.reactions.attempts IS 'how often the router was asked, each time with retransmissions';
COMMENT ON COLUMN control.reactions.expires_at IS 'not sent after that';
COMMENT ON COLUMN control.reactions.error_cause IS 'Error-Cause of a NAK (RFC 5176 section 3.5)';
COMMENT ON COLUMN control.reactions.requested_by IS 'users.id; NULL: the server itself';
COMMENT ON COLUMN control.webhooks.secret IS 'sealed; signs what is sent';
COMMENT ON COLUMN control.idempotency_keys.principal IS 'who sent it: user:ID or isp:ID';
COMMENT ON COLUMN control.idempotency_keys.response IS 'sealed, because it may show a secret once; NULL: still working on it';
COMMENT ON COLUMN control.key_checks.check_value IS 'sealed';
COMMENT ON COLUMN control.change_log.op IS 'I, U or D';
COMMENT ON COLUMN control.change_log.pk IS 'id of the changed row';
COMMENT ON COLUMN control.change_log.key IS 'customers: username_key after the change';
COMMENT ON COLUMN control.change_log.old_key IS 'customers: username_key before it, where it was another';

-- <<< control

-- >>> accounting

CREATE SCHEMA IF NOT EXISTS accounting;
GRANT USAGE ON SCHEMA accounting TO radiuscore_isp, radiuscore_system;

CREATE TABLE IF NOT EXISTS accounting.schema_version (
  version    int PRIMARY KEY,
  name       text NOT NULL,
  sha256     text,
  applied_at timestamptz NOT NULL DEFAULT now()
);
DO $$ BEGIN
  IF (SELECT max(version) FROM accounting.schema_version) <> 1 THEN
    RAISE EXCEPTION 'schema accounting is at version %, this file is version 1: run radiuscore migrate',
      (SELECT max(version) FROM accounting.schema_version);
  END IF;
END $$;
INSERT INTO accounting.schema_version (version, name) VALUES (1, 'baseline') ON CONFLICT DO NOTHING;

-- Tables ---------------------------------------------------------------------------------------------------------

-- No foreign key, no trigger, no sequence; isp_id leads every key. It is written for being sharded by ISP.
-- Times are aware; "sent" is when the NAS sent a report by the server's clock: received minus Acct-Delay-Time.

-- One row per (NAS, Acct-Session-Id, user): the current incarnation, open or closed less than 24 hours ago.
CREATE TABLE IF NOT EXISTS accounting.sessions (
  isp_id                int NOT NULL,
  nas_id                bigint NOT NULL,
  acct_session_id       text COLLATE "C" NOT NULL,
  username_key          text COLLATE "C" NOT NULL,
  id                    uuid NOT NULL,
  customer_id           bigint,
  plan_id               bigint,
  username              text COLLATE "C" NOT NULL,
  state                 text COLLATE "C" NOT NULL CHECK (state IN ('open', 'suspect', 'closed')),
  closed_by             text COLLATE "C" CHECK (closed_by IN (
                          'stop', 'lost', 'reboot', 'accounting_on', 'accounting_off', 'new_start', 'disconnect')),
  started_at            timestamptz NOT NULL,
  updated_at            timestamptz NOT NULL,
  stopped_at            timestamptz,
  closed_at             timestamptz,
  closed_as_of          timestamptz,
  session_time          bigint NOT NULL,
  input_octets          bigint NOT NULL,
  output_octets         bigint NOT NULL,
  input_packets         bigint,
  output_packets        bigint,
  terminate_cause       bigint,
  framed_ip_address     inet,
  framed_ipv6_prefix    cidr,
  delegated_ipv6_prefix cidr,
  calling_station_id    text COLLATE "C",
  called_station_id     text COLLATE "C",
  nas_ip_address        inet,
  nas_identifier        text COLLATE "C",
  nas_port              bigint,
  nas_port_id           text COLLATE "C",
  nas_port_type         bigint,
  service_type          bigint,
  event_timestamp       timestamptz,
  interim_interval_s    int,
  local_address         inet,
  nas_address           inet,
  granted               bytea,
  node                  text COLLATE "C" NOT NULL,
  start_estimate        bigint NOT NULL,
  input_counter         bigint,
  output_counter        bigint,
  statuses              smallint NOT NULL,
  state_before          text COLLATE "C",
  delta_input_octets    bigint NOT NULL DEFAULT 0,
  delta_output_octets   bigint NOT NULL DEFAULT 0,
  delta_session_time    bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (isp_id, nas_id, acct_session_id, username_key),
  CHECK ((state = 'closed') = (closed_by IS NOT NULL)),
  CHECK ((state = 'closed') = (stopped_at IS NOT NULL AND closed_at IS NOT NULL AND closed_as_of IS NOT NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);

-- A report changes none of these columns, so that its update stays inside the page (HOT).
CREATE INDEX IF NOT EXISTS sessions_id ON accounting.sessions (isp_id, id);
CREATE INDEX IF NOT EXISTS sessions_customer ON accounting.sessions (isp_id, customer_id);
CREATE INDEX IF NOT EXISTS sessions_open ON accounting.sessions (isp_id, nas_id, acct_session_id)
  WHERE state <> 'closed';
CREATE INDEX IF NOT EXISTS sessions_device ON accounting.sessions (isp_id, calling_station_id)
  WHERE state <> 'closed';
CREATE INDEX IF NOT EXISTS sessions_closed ON accounting.sessions (isp_id, closed_at) WHERE state = 'closed';

-- Sessions that are over: at once after a Stop, after 24 hours when something else closed them.
CREATE TABLE IF NOT EXISTS accounting.session_history (
  isp_id                int NOT NULL,
  nas_id                bigint NOT NULL,
  acct_session_id       text COLLATE "C" NOT NULL,
  username_key          text COLLATE "C" NOT NULL,
  id                    uuid NOT NULL,
  customer_id           bigint,
  plan_id               bigint,
  username              text COLLATE "C" NOT NULL,
  closed_by             text COLLATE "C" NOT NULL,
  started_at            timestamptz NOT NULL,
  updated_at            timestamptz NOT NULL,
  stopped_at            timestamptz NOT NULL,
  closed_as_of          timestamptz NOT NULL,
  session_time          bigint NOT NULL,
  input_octets          bigint NOT NULL,
  output_octets         bigint NOT NULL,
  input_packets         bigint,
  output_packets        bigint,
  terminate_cause       bigint,
  framed_ip_address     inet,
  framed_ipv6_prefix    cidr,
  delegated_ipv6_prefix cidr,
  calling_station_id    text COLLATE "C",
  called_station_id     text COLLATE "C",
  nas_ip_address        inet,
  nas_identifier        text COLLATE "C",
  nas_port              bigint,
  nas_port_id           text COLLATE "C",
  nas_port_type         bigint,
  service_type          bigint,
  event_timestamp       timestamptz,
  interim_interval_s    int,
  local_address         inet,
  nas_address           inet,
  node                  text COLLATE "C" NOT NULL,
  start_estimate        bigint NOT NULL,
  input_counter         bigint,
  output_counter        bigint,
  statuses              smallint NOT NULL,
  PRIMARY KEY (isp_id, nas_id, acct_session_id, username_key, stopped_at, id)
) PARTITION BY RANGE (stopped_at);
CREATE INDEX IF NOT EXISTS session_history_customer ON accounting.session_history (isp_id, customer_id, stopped_at);

-- Usage of customers: by hour and day of the ISP's local time, and by the period that their quota is counted in.
CREATE TABLE IF NOT EXISTS accounting.usage_hour (
  isp_id        int NOT NULL,
  customer_id   bigint NOT NULL,
  hour          timestamptz NOT NULL,
  input_octets  bigint NOT NULL,
  output_octets bigint NOT NULL,
  session_time  bigint NOT NULL,
  PRIMARY KEY (isp_id, customer_id, hour)
) PARTITION BY RANGE (hour);

CREATE TABLE IF NOT EXISTS accounting.usage_day (
  isp_id        int NOT NULL,
  customer_id   bigint NOT NULL,
  day           date NOT NULL,
  input_octets  bigint NOT NULL,
  output_octets bigint NOT NULL,
  session_time  bigint NOT NULL,
  PRIMARY KEY (isp_id, customer_id, day)
) PARTITION BY RANGE (day);

CREATE TABLE IF NOT EXISTS accounting.usage_period (
  isp_id        int NOT NULL,
  customer_id   bigint NOT NULL,
  period        text COLLATE "C" NOT NULL CHECK (period IN ('day', 'week', 'month')),
  period_start  date NOT NULL,
  input_octets  bigint NOT NULL,
  output_octets bigint NOT NULL,
  session_time  bigint NOT NULL,
  changed_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (isp_id, customer_id, period, period_start)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
-- For those who follow all totals; it costs a tenth of recording.
CREATE INDEX IF NOT EXISTS usage_period_changed ON accounting.usage_period (changed_at);

-- Every decided Access-Request.
CREATE TABLE IF NOT EXISTS accounting.auth_log (
  isp_id             int NOT NULL,
  at                 timestamptz NOT NULL,
  nas_id             bigint NOT NULL,
  customer_id        bigint,
  username           text COLLATE "C" NOT NULL,
  outcome            text COLLATE "C" NOT NULL CHECK (outcome IN ('accept', 'reject')),
  reason             text COLLATE "C" NOT NULL,
  method             text COLLATE "C" NOT NULL,
  calling_station_id text COLLATE "C",
  called_station_id  text COLLATE "C",
  acct_session_id    text COLLATE "C",
  nas_port_id        text COLLATE "C",
  framed_ip_address  inet,
  session_uuid       uuid,
  node               text COLLATE "C" NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX IF NOT EXISTS auth_log_at ON accounting.auth_log (isp_id, at);
CREATE INDEX IF NOT EXISTS auth_log_rejects ON accounting.auth_log (isp_id, at) WHERE outcome = 'reject';
CREATE INDEX IF NOT EXISTS auth_log_username ON accounting.auth_log (isp_id, username, at);

-- Central pools: one row for each address or prefix that was ever needed; free when its lease has run out and its session
-- is over. The row remembers who had it last. pool_id is address_pools.id in the control database, where no address is
-- in two pools of an ISP.
CREATE TABLE IF NOT EXISTS accounting.address_leases (
  isp_id             int NOT NULL,
  address            inet NOT NULL,
  pool_id            bigint NOT NULL,
  customer_id        bigint,
  nas_id             bigint,
  calling_station_id text COLLATE "C",
  session_id         uuid,
  leased_at          timestamptz,
  expires_at         timestamptz NOT NULL DEFAULT '-infinity',
  PRIMARY KEY (isp_id, address)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX IF NOT EXISTS address_leases_free ON accounting.address_leases (isp_id, pool_id, expires_at);
CREATE INDEX IF NOT EXISTS address_leases_pool ON accounting.address_leases (isp_id, pool_id, address);
CREATE INDEX IF NOT EXISTS address_leases_customer ON accounting.address_leases (isp_id, customer_id);

-- Strict simultaneous use: slot n of a customer is taken until it expires; taking it is one upsert, so races have one winner.
CREATE TABLE IF NOT EXISTS accounting.simultaneous_use_slots (
  isp_id             int NOT NULL,
  customer_id        bigint NOT NULL,
  slot               int NOT NULL CHECK (slot > 0),
  session_id         uuid NOT NULL,
  nas_id             bigint NOT NULL,
  acct_session_id    text COLLATE "C",
  calling_station_id text COLLATE "C",
  reserved_at        timestamptz NOT NULL DEFAULT now(),
  expires_at         timestamptz NOT NULL,
  PRIMARY KEY (isp_id, customer_id, slot)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- Partitions -----------------------------------------------------------------------------------------------------

-- What is cut by time, into which pieces, how far ahead they are made and how long they are kept.
CREATE OR REPLACE VIEW accounting.partition_policy AS
SELECT parent, by_column, step::interval, ahead::interval, keep::interval, fillfactor
  FROM (VALUES ('session_history', 'stopped_at', '1 month', '3 months', '25 months', 95),
               ('usage_hour',      'hour',       '1 month', '3 months', '35 days',   60),
               ('usage_day',       'day',        '1 month', '3 months', '25 months', 60),
               ('auth_log',        'at',         '1 day',   '7 days',   '30 days',   100)
       ) AS policy (parent, by_column, step, ahead, keep, fillfactor);

-- The partitions there are. lower and upper are NULL for the default one, which takes what no other takes: accounting
-- must not stop because a partition is missing or a clock is wrong.
CREATE OR REPLACE VIEW accounting.partitions AS
SELECT policy.parent, child.relname::text AS name, bound.lower, bound.upper
  FROM accounting.partition_policy AS policy
  JOIN pg_inherits AS link ON link.inhparent = ('accounting.' || policy.parent)::regclass
  JOIN pg_class AS child ON child.oid = link.inhrelid
 CROSS JOIN LATERAL (SELECT pg_get_expr(child.relpartbound, child.oid) AS text) AS range
 CROSS JOIN LATERAL (SELECT substring(range.text FROM 'FROM \(''(.+?)''\)')::timestamptz AS lower,
                            substring(range.text FROM 'TO \(''(.+?)''\)')::timestamptz AS upper) AS bound;

DO $$
DECLARE
  parent text;
BEGIN
  FOR parent IN SELECT policy.parent FROM accounting.partition_policy AS policy LOOP
    EXECUTE format('CREATE TABLE IF NOT EXISTS accounting.%I PARTITION OF accounting.%I DEFAULT',
                   parent || '_default', parent);
  END LOOP;
END $$;

-- Make the next partition that should exist at that time, and return its name; NULL when none is missing. It is made
-- apart and attached, which unlike CREATE TABLE .. PARTITION OF lets writing to the others go on.
CREATE OR REPLACE FUNCTION accounting.add_partition(at timestamptz) RETURNS text
LANGUAGE plpgsql SET timezone = 'UTC' SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  item record;
BEGIN
  SELECT policy.*, policy.parent || to_char(first, CASE policy.step WHEN '1 day' THEN '_YYYYMMDD' ELSE '_YYYYMM' END) AS name,
         to_char(first, 'YYYY-MM-DD "00:00+00"') AS lower,
         to_char(first + policy.step, 'YYYY-MM-DD "00:00+00"') AS upper
    INTO item
    FROM accounting.partition_policy AS policy
   CROSS JOIN LATERAL (SELECT date_trunc(split_part(policy.step::text, ' ', 2), at) AS present) AS clock
   CROSS JOIN LATERAL generate_series(present - policy.step, present + policy.ahead, policy.step) AS first
   WHERE NOT EXISTS (SELECT FROM accounting.partitions AS made
                      WHERE made.parent = policy.parent AND made.lower <= first AND first < made.upper)
   ORDER BY first, policy.parent
   LIMIT 1;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  EXECUTE format('CREATE TABLE accounting.%I (LIKE accounting.%I INCLUDING ALL) WITH (fillfactor = %s)',
                 item.name, item.parent, item.fillfactor);
  EXECUTE format('WITH early AS (DELETE FROM accounting.%1$I WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING *) '
                 'INSERT INTO accounting.%5$I SELECT * FROM early',
                 item.parent || '_default', item.by_column, item.lower, item.upper, item.name);
  EXECUTE format('ALTER TABLE accounting.%I ATTACH PARTITION accounting.%I FOR VALUES FROM (%L) TO (%L)',
                 item.parent, item.name, item.lower, item.upper);
  RETURN item.name;
END $$;

-- Drop the oldest partition that is not to be kept any more, and return its name; NULL when there is none.
CREATE OR REPLACE FUNCTION accounting.drop_partition(at timestamptz) RETURNS text
LANGUAGE plpgsql SET timezone = 'UTC' SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  old text;
BEGIN
  SELECT made.name
    INTO old
    FROM accounting.partitions AS made
    JOIN accounting.partition_policy AS policy USING (parent)
   WHERE made.upper <= at - policy.keep
   ORDER BY made.upper
   LIMIT 1;
  IF FOUND THEN
    EXECUTE format('DROP TABLE accounting.%I', old);
  END IF;
  RETURN old;
END $$;

REVOKE ALL ON FUNCTION accounting.add_partition(timestamptz), accounting.drop_partition(timestamptz) FROM PUBLIC;

DO $$ BEGIN
  WHILE accounting.add_partition(now()) IS NOT NULL LOOP
  END LOOP;
END $$;

-- Rights ---------------------------------------------------------------------------------------------------------

SELECT pg_temp.protect_tenants('accounting');

SELECT pg_temp.grant_writing('radiuscore_system', rel.oid::regclass)
  FROM pg_class AS rel
 WHERE rel.relnamespace = 'accounting'::regnamespace AND rel.relkind IN ('r', 'p') AND NOT rel.relispartition
   AND rel.relname <> 'schema_version';
GRANT SELECT ON accounting.schema_version TO radiuscore_system;

-- One ISP's requests only look; what changes a session goes through its NAS.
GRANT SELECT ON accounting.sessions, accounting.session_history, accounting.usage_hour, accounting.usage_day,
  accounting.usage_period, accounting.auth_log, accounting.address_leases, accounting.simultaneous_use_slots
  TO radiuscore_isp;

-- Units and meanings ---------------------------------------------------------------------------------------------

-- session_history has columns of sessions, with their meaning.
COMMENT ON COLUMN accounting.sessions.nas_id IS 'devices.id in the control database';
COMMENT ON COLUMN accounting.sessions.acct_session_id IS 'as the NAS sent it, in its case';
COMMENT ON COLUMN accounting.sessions.username_key IS 'the username as it is compared';
COMMENT ON COLUMN accounting.sessions.id IS 'the Class of our Accept; made at first sight where the NAS did not return it';
COMMENT ON COLUMN accounting.sessions.customer_id IS 'NULL: nobody of that name';
COMMENT ON COLUMN accounting.sessions.closed_by IS 'stop is final; what else closed it is a conclusion that a later report may prove wrong';
COMMENT ON COLUMN accounting.sessions.started_at IS 'when it began by the server''s clock';
COMMENT ON COLUMN accounting.sessions.updated_at IS 'when its latest report was sent';
COMMENT ON COLUMN accounting.sessions.stopped_at IS 'when the first Stop was sent, else the latest report';
COMMENT ON COLUMN accounting.sessions.closed_at IS 'when the row was closed, by the database''s clock; archived 24 hours later';
COMMENT ON COLUMN accounting.sessions.closed_as_of IS 'when what closed it happened';
COMMENT ON COLUMN accounting.sessions.session_time IS 's; of the latest report';
COMMENT ON COLUMN accounting.sessions.input_octets IS 'octets from the customer, also over resets of the NAS''s counter';
COMMENT ON COLUMN accounting.sessions.output_octets IS 'octets to the customer, also over resets of the NAS''s counter';
COMMENT ON COLUMN accounting.sessions.input_packets IS 'as last sent';
COMMENT ON COLUMN accounting.sessions.output_packets IS 'as last sent';
COMMENT ON COLUMN accounting.sessions.terminate_cause IS 'RFC 2866 section 5.10';
COMMENT ON COLUMN accounting.sessions.event_timestamp IS 'the router''s clock; not believed';
COMMENT ON COLUMN accounting.sessions.interim_interval_s IS 's; how often it was told to report';
COMMENT ON COLUMN accounting.sessions.local_address IS 'where the node received its latest report';
COMMENT ON COLUMN accounting.sessions.nas_address IS 'where its latest report came from: where the NAS can be reached';
COMMENT ON COLUMN accounting.sessions.granted IS 'the reply that it has, encoded, as of its beginning; NULL: not known';
COMMENT ON COLUMN accounting.sessions.node IS 'the node that received its latest report';
COMMENT ON COLUMN accounting.sessions.start_estimate IS 's since 1970; when it began as its latest report tells; tells incarnations apart';
COMMENT ON COLUMN accounting.sessions.input_counter IS 'octets as last sent';
COMMENT ON COLUMN accounting.sessions.output_counter IS 'octets as last sent';
COMMENT ON COLUMN accounting.sessions.statuses IS 'what was seen: 1 Start, 2 Stop, 4 Interim-Update';
COMMENT ON COLUMN accounting.sessions.state_before IS 'before the latest write; NULL: that made the row';
COMMENT ON COLUMN accounting.sessions.delta_input_octets IS 'octets added by the latest write';
COMMENT ON COLUMN accounting.sessions.delta_output_octets IS 'octets added by the latest write';
COMMENT ON COLUMN accounting.sessions.delta_session_time IS 's added by the latest write';
COMMENT ON COLUMN accounting.usage_hour.hour IS 'when the hour began in the ISP''s time zone';
COMMENT ON COLUMN accounting.usage_hour.session_time IS 's';
COMMENT ON COLUMN accounting.usage_day.day IS 'date in the ISP''s time zone';
COMMENT ON COLUMN accounting.usage_day.session_time IS 's';
COMMENT ON COLUMN accounting.usage_period.period IS 'the plan''s quota_period when it was counted';
COMMENT ON COLUMN accounting.usage_period.period_start IS 'date in the ISP''s time zone; counted from its midnight';
COMMENT ON COLUMN accounting.usage_period.session_time IS 's';
COMMENT ON COLUMN accounting.auth_log.username IS 'as it was sent';
COMMENT ON COLUMN accounting.auth_log.reason IS 'why it was rejected; empty for an accept';
COMMENT ON COLUMN accounting.auth_log.session_uuid IS 'the Class that was sent: sessions.id';
COMMENT ON COLUMN accounting.auth_log.node IS 'the node that answered';
COMMENT ON COLUMN accounting.address_leases.address IS 'one address, or a prefix';
COMMENT ON COLUMN accounting.address_leases.pool_id IS 'address_pools.id in the control database';
COMMENT ON COLUMN accounting.address_leases.expires_at IS 'free from then on';
COMMENT ON COLUMN accounting.simultaneous_use_slots.session_id IS 'the Class of the Accept';
COMMENT ON COLUMN accounting.simultaneous_use_slots.expires_at IS 'free from then on';

-- <<< accounting
