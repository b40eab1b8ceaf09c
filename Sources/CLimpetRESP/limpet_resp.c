#include "limpet_resp.h"
