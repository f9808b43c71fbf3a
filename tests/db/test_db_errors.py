"""What the errors of the databases' drivers mean here."""

import sqlite3

import psycopg
import pymysql
import pytest
from psycopg import errors as pg
from tunewright.api.errors import Invalid, NotFound, StoreUnavailable, StoreUnwritable
from tunewright.db.driver_errors import LostError, translate

NO_RIGHT = StoreUnwritable
FULL = "could not extend file: No space left on device"


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (sqlite3.OperationalError("database or disk is full"), StoreUnwritable),
        (sqlite3.OperationalError("database is locked"), LostError),
        (sqlite3.IntegrityError("UNIQUE constraint failed: trials.name"), LostError),
        (sqlite3.IntegrityError("FOREIGN KEY constraint failed"), NotFound),
        (pymysql.err.OperationalError(1213, "Deadlock found", sqlstate="40001"), LostError),
        (pymysql.err.IntegrityError(1062, "Duplicate entry"), LostError),
        (pymysql.err.OperationalError(2006, "server has gone away"), StoreUnavailable),
        (pymysql.err.OperationalError(1044, "Access denied to database 'd'"), NO_RIGHT),
        (pymysql.err.OperationalError(1142, "CREATE command denied to user 'u'"), NO_RIGHT),
        (pymysql.err.DataError(1406, "Data too long"), Invalid),
        (pg.SerializationFailure("Zugriff konnte nicht serialisiert werden"), LostError),
        (pg.DeadlockDetected("Verklemmung"), LostError),
        (pg.LockNotAvailable("canceling statement due to lock timeout"), LostError),
        (pg.UniqueViolation("doppelter Schlüsselwert"), LostError),
        (pg.ForeignKeyViolation("verletzt Fremdschlüssel"), NotFound),
        (pg.DiskFull(FULL), StoreUnwritable),
        (pg.IoError("could not read block"), StoreUnwritable),
        (pg.InsufficientPrivilege("keine Berechtigung für Schema public"), NO_RIGHT),
        (pg.AdminShutdown("terminating connection"), StoreUnavailable),
        (pg.CrashShutdown("terminating connection"), StoreUnavailable),
        (pg.CannotConnectNow("the database system is starting up"), StoreUnavailable),
        (pg.QueryCanceled("canceling statement due to statement timeout"), StoreUnavailable),
        (pg.ReadOnlySqlTransaction("in a read-only transaction"), StoreUnavailable),
        (psycopg.OperationalError("connection refused"), StoreUnavailable),
        (pg.NumericValueOutOfRange("out of range"), Invalid),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_says_what_is_to_be_done(error: Exception, ours: type[Exception]):
    assert type(translate(error, "here")) is ours


def test_who_lacks_a_right_is_told_in_one_line_what_to_grant():
    error = pg.InsufficientPrivilege("permission denied for schema public\nLINE 2: CREATE TABLE x")
    assert str(translate(error, "postgresql://tune@db/tune")) == (
        "postgresql://tune@db/tune: the store's user lacks a right: permission denied for schema"
        " public; grant it all rights on that database, in PostgreSQL on its schema too"
    )


@pytest.mark.parametrize(
    "error",
    [
        pg.UndefinedTable("relation does not exist: deadlock"),
        pg.SyntaxError("near 'unique constraint'"),
        pymysql.err.OperationalError(1050, "Table 'experiments' already exists"),
        pymysql.err.OperationalError(1060, "Duplicate column name 'x'"),
        pymysql.err.OperationalError(1061, "Duplicate key name 'x'"),
    ],
    ids=lambda error: f"{type(error).__name__} {error}",
)
def test_an_error_that_no_waiting_mends_stays_itself(error: Exception):
    assert translate(error, "here") is error
