#include <sqlite3.h>

// Swift sees neither variadic functions nor the destructors that are cast from integers.

static inline int csqlite_bind_text(sqlite3_stmt *statement, int index, const char *text, int byte_count) {
    return sqlite3_bind_text(statement, index, text, byte_count, SQLITE_TRANSIENT);
}

// SQLite copies the bytes. A null pointer would bind NULL, so an empty value is bound as a blob of no bytes.
static inline int csqlite_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, int byte_count) {
    return byte_count == 0 ? sqlite3_bind_zeroblob(statement, index, 0)
                           : sqlite3_bind_blob(statement, index, bytes, byte_count, SQLITE_TRANSIENT);
}

// No statement may write to the file's inner tables.
static inline int csqlite_set_defensive(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
}
