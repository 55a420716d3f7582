#include "server/nspi/private.h"

int nspi_locate(const struct nspi_view *v, const struct STAT *stat, size_t *position)
{
	size_t count = directory_count(v->book), at;
	if (stat->CurrentRec == NSPI_MID_CURRENT) /* fractional: NumPos of TotalRecs, 3.1.4.1.2 */
		at = stat->TotalRecs ? (size_t)((uint64_t)stat->NumPos * count / stat->TotalRecs) : 0;
	else if (stat->CurrentRec == NSPI_MID_BEGINNING_OF_TABLE)
		at = 0;
	else if (stat->CurrentRec == NSPI_MID_END_OF_TABLE)
		at = count;
	else if (directory_position(v->book, stat->CurrentRec, &at) < 0)
		return MW_E_NOTFOUND;
	*position = at < count ? at : count;
	return 0;
}

void nspi_place(const struct nspi_view *v, struct STAT *stat, size_t position)
{
	size_t count = directory_count(v->book);
	const struct directory_user *u = directory_at(v->book, position);
	stat->CurrentRec = u ? u->id : NSPI_MID_END_OF_TABLE;
	stat->NumPos = (uint32_t)(position < count ? position : count);
	stat->TotalRecs = (uint32_t)count;
	stat->Delta = 0;
}
