#!/bin/sh
# The servers' own role and database; PostgreSQL's image runs this at its first start.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$KYARA_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE kyara LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE kyara OWNER kyara;
SQL
