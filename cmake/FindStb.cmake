# Finds the single-file libraries of Sean Barrett; defines Stb::stb.
find_path(Stb_INCLUDE_DIR stb_image_write.h PATH_SUFFIXES stb)
mark_as_advanced(Stb_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Stb REQUIRED_VARS Stb_INCLUDE_DIR)

if(Stb_FOUND AND NOT TARGET Stb::stb)
  add_library(Stb::stb INTERFACE IMPORTED GLOBAL)
  set_property(TARGET Stb::stb PROPERTY INTERFACE_INCLUDE_DIRECTORIES ${Stb_INCLUDE_DIR})
endif()
