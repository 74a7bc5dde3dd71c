/*-------------------------------------------------------------------------
 *
 * deliver_module.h
 *		Loading the module that carries libcurl.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_DELIVER_MODULE_H
#define SICANTIK_WA_DELIVER_MODULE_H

#include "deliver/deliver.h"

/* Raises an error if the module, or a library that it needs, is missing. */
static inline const WaDeliver *
wa_load_deliver(void)
{
	return ((WaDeliverInterface) load_external_function(WA_DELIVER_MODULE, WA_DELIVER_FUNCTION,
														true, NULL)) ();
}

#endif							/* SICANTIK_WA_DELIVER_MODULE_H */
