#include "limpet_lanes.h"
