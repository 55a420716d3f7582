#include "server/emsmdb/rops.h"

#include "store/table_news.h"

#include <stdlib.h>

/* Tables tell their clients what becomes of their rows: [MS-OXCNOTIF] 3.1.4.3, without being asked. */

#define LARGEST_ROW                                                                                                    \
	8192 /* bytes of a row that goes with a notification; of another it is only said that it changed               \
	      */

static int copy_row(struct emsmdb_notification *n, const struct emsmdb_object *o, const struct store_table_news *news)
{
	size_t column_count, size = 0;
	const uint32_t *columns = store_table_columns(o->u.table, &column_count);
	n->arena = arena_new(0);
	struct mapi_value *values = n->arena ? arena_new_array(n->arena, struct mapi_value, news->count) : NULL;
	int r = values && column_count == news->count ? 0 : MW_E_NOMEM;
	for (size_t i = 0; r == 0 && i < news->count; i++) {
		r = mapi_value_copy(n->arena, &news->values[i], &values[i]);
		if (r == 0)
			r = rop_narrow(n->arena, &columns[i], &values[i], 1, o->code_page);
		size += r == 0 && values[i].flag == MAPI_FLAG_VALUE ? mapi_value_size(&values[i]) : 5;
	}
	if (r == 0 && size > LARGEST_ROW)
		r = MW_E_LIMIT;
	if (r == 0)
		n->data.row = mapi_row_of(values, (uint16_t)news->count);
	return r;
}

static void describe(struct emsmdb_notification *n, const struct store_table_news *news)
{
	n->data.flags = MAPI_NOTIFY_TABLE | (news->of_messages ? MAPI_NOTIFY_M : 0);
	n->data.table_event = (uint16_t)news->event;
	n->data.row_folder_id = news->row.folder;
	n->data.row_message_id = news->row.message;
	n->data.row_instance = news->row.instance;
	n->data.after_folder_id = news->after.folder;
	n->data.after_message_id = news->after.message;
	n->data.after_instance = news->after.instance;
}

static void heard(void *user, const struct store_table_news *news)
{
	struct emsmdb_object *o = (struct emsmdb_object *)user;
	const struct emsmdb_logon *actor = o->on->mailbox->actor;
	struct emsmdb_notification *n;
	if (o->suppresses && actor && actor->session_id == o->on->session_id && actor->home == o->on->home)
		return;
	n = (struct emsmdb_notification *)calloc(1, sizeof *n);
	if (!n)
		return;
	n->handle = o->handle;
	n->logon = o->on->id;
	n->ticket = news->ticket;
	n->view = o->view;
	n->of_table = true;
	describe(n, news);
	if (news->count > 0 && copy_row(n, o, news) < 0)
		n->data.table_event = STORE_TABLE_CHANGED;
	emsmdb_logon_hear(o->on, n);
}

/* Those that make a view: [MS-OXCNOTIF] 3.1.4.3; RopQueryColumnsAll looks at no row. */
static bool is_view(uint8_t id)
{
	static const uint8_t views[] = {0x15, 0x17, 0x18, 0x19, 0x1A, 0x4F, 0x59, 0x5A};
	for (size_t i = 0; i < ARRAY_SIZE(views); i++)
		if (views[i] == id)
			return true;
	return false;
}

void emsmdb_table_used(struct rop_call *rop)
{
	struct emsmdb_object *o = rop->in;
	if (o->quiet || !is_view(rop->id))
		return;
	o->code_page = (uint16_t)rop->session->code_page;
	store_table_watch(o->u.table, heard, o);
}

void emsmdb_table_changed(struct emsmdb_object *o)
{
	o->view++; /* what was noted of it before means other rows or columns */
	store_table_watch(o->u.table, NULL, NULL);
}
