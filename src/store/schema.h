#ifndef MW_STORE_SCHEMA_H
#define MW_STORE_SCHEMA_H

#define STORE_APPLICATION_ID 0x4D57424F /* "MWBO" */
#define STORE_SCHEMA_VERSION 2

/* Every statement the store prepares, but the tables' own. Texts in schema.c. */
enum store_statement {
	STMT_BEGIN,
	STMT_COMMIT,
	STMT_ROLLBACK,
	STMT_RESERVE,
	STMT_REPLICA_BY_ID,
	STMT_REPLICA_BY_GUID,
	STMT_REPLICA_ADD,
	STMT_OWNER_SET,
	STMT_MAILBOX_SIZE,
	STMT_NAME_FIND,
	STMT_NAME_ADD,
	STMT_NAME_BY_ID,
	STMT_NAME_ALL,
	STMT_NAME_LAST,
	STMT_RECEIVE_FIND,
	STMT_FOLDER_GET,
	STMT_FOLDER_FIND,
	STMT_FOLDER_ADD,
	STMT_FOLDER_SET,
	STMT_FOLDER_CHILDREN,
	STMT_FOLDER_COUNT,
	STMT_FOLDER_MOVE,
	STMT_FOLDER_DELETE,
	STMT_FOLDER_MESSAGES,
	STMT_MESSAGE_GET,
	STMT_MESSAGE_ADD,
	STMT_MESSAGE_SET,
	STMT_MESSAGE_READ,
	STMT_MESSAGE_DELETE,
	STMT_MESSAGE_MOVE,
	STMT_MESSAGE_CHANGE,
	STMT_VALUE_ADD,
	STMT_VALUE_ADOPT,
	STMT_VALUE_SIZE,
	STMT_VALUE_DELETE,
	STMT_VALUES_OF,
	STMT_VALUES_MOVE,
	STMT_CHUNK_GET,
	STMT_CHUNK_PUT,
	STMT_CHUNK_CUT,
	STMT_CHUNK_COPY,
	STORE_STATEMENT_COUNT,
};

/* In the order that store_message_row reads them. */
#define STORE_MESSAGE_COLUMNS "id, folder, associated, change, flags, size, modified, record"

extern const char store_schema[];
/* From version 1 to 2: attachments. */
extern const char store_upgrade_1[];
const char *store_sql(enum store_statement which);

/* A value's chunks: value << STORE_CHUNK_BITS | number. */
#define STORE_CHUNK_BITS 16
#define STORE_CHUNK_SIZE 65536u

#endif
