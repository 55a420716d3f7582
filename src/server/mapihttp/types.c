#include "server/mapihttp/private.h"
#include "wire/mapihttp.h"

/* Every request type, 2.2.3.3.1, and the method that it stands for. PING stands for none. */

const struct mapihttp_type mapihttp_types[] = {
        {"Connect", MAPIHTTP_EMSMDB, MAPIHTTP_MAKES_CONTEXT, false, &emsmdb_service, 10, &MapiConnectRequest_type,
         mapihttp_fill_connect, mapihttp_answer_connect},
        {"Execute", MAPIHTTP_EMSMDB, MAPIHTTP_NEEDS_CONTEXT, true, &emsmdb_service, 11, &MapiExecuteRequest_type,
         mapihttp_fill_execute, mapihttp_answer_execute},
        {"Disconnect", MAPIHTTP_EMSMDB, MAPIHTTP_ENDS_CONTEXT, true, &emsmdb_service, 1, &MapiDisconnectRequest_type,
         mapihttp_fill_disconnect, mapihttp_answer_disconnect},
        {"NotificationWait", MAPIHTTP_EMSMDB, MAPIHTTP_NEEDS_CONTEXT, false, &asyncemsmdb_service, 0,
         &MapiNotificationWaitRequest_type, mapihttp_fill_wait, mapihttp_answer_wait},
        {.name = NULL},
};
