/*-------------------------------------------------------------------------
 *
 * module.h
 *		Loading the module that carries libcurl.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_DELIVER_MODULE_H
#define SICANTIK_WA_DELIVER_MODULE_H

#include "deliver/deliver.h"

/*
 * Raises an error if the module, or a library that it needs, is missing, or if
 * the preloaded module is of another build.
 */
static inline const WaDeliver *
wa_deliver_load(void)
{
	WaDeliverInterface interface = (WaDeliverInterface)
		load_external_function(WA_DELIVER_MODULE, WA_DELIVER_FUNCTION, true, NULL);
	const WaDeliver *deliver = interface(WA_BUILD);

	if (deliver == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("module \"%s\" is of another build than the preloaded \"sicantik_wa\"",
						WA_DELIVER_MODULE),
				 errhint("Restart the server after installing a new build.")));
	return deliver;
}

#endif							/* SICANTIK_WA_DELIVER_MODULE_H */
