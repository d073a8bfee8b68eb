# Sorts the headers: what users include, adapters that need another library, and what only the library includes.
file(GLOB_RECURSE layerscope_public_headers CONFIGURE_DEPENDS include/layerscope/*.hpp)
file(GLOB_RECURSE layerscope_internal_headers CONFIGURE_DEPENDS include/layerscope/impl/*.inc)

set(layerscope_optional_adapters ${layerscope_public_headers})
list(FILTER layerscope_optional_adapters INCLUDE REGEX "/layerscope/adapters/")
list(FILTER layerscope_optional_adapters EXCLUDE REGEX "/adapters/std\\.hpp$")

set(internal ${layerscope_public_headers})
list(FILTER internal INCLUDE REGEX "/layerscope/(.*/)?(impl|detail)/")
list(APPEND layerscope_internal_headers ${internal})

list(REMOVE_ITEM layerscope_public_headers ${layerscope_optional_adapters} ${internal})
