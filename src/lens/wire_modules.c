#include "lens/lens-private.h"

#include "wire/asyncemsmdb.h"
#include "wire/emsmdb.h"
#include "wire/epm.h"
#include "wire/mgmt.h"
#include "wire/nspi.h"
#include "wire/rfr.h"

/* The descriptions that are compiled in. */
const struct idl_module *const lens_wire_modules[] = {&wire_epm_module,  &wire_mgmt_module,   &wire_rfr_module,
                                                      &wire_nspi_module, &wire_emsmdb_module, &wire_asyncemsmdb_module};
const size_t lens_wire_module_count = ARRAY_SIZE(lens_wire_modules);
