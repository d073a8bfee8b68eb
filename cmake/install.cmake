# The installed package: find_package(layerscope) and pkg-config.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/layerscope)

install(TARGETS layerscope EXPORT layerscopeHeaderOnlyTargets
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILE_SET adapters DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILE_SET internals DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS layerscope_compiled EXPORT layerscopeCompiledTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT layerscopeHeaderOnlyTargets NAMESPACE layerscope:: DESTINATION ${package_dir})
install(EXPORT layerscopeCompiledTargets NAMESPACE layerscope:: DESTINATION ${package_dir})

configure_package_config_file(cmake/layerscopeConfig.cmake.in ${PROJECT_BINARY_DIR}/layerscopeConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/layerscopeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/layerscopeConfig.cmake ${PROJECT_BINARY_DIR}/layerscopeConfigVersion.cmake
  cmake/FindStb.cmake cmake/FindLibdeflate.cmake DESTINATION ${package_dir})

# pkg-config. The prefix is relative to the file, so that the tree can be moved.
file(RELATIVE_PATH pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
set(pc_definitions "")
set(pc_requires "")
if(layerscope_has_ZLIB)
  string(APPEND pc_definitions " -DLAYERSCOPE_WITH_ZLIB")
  string(APPEND pc_requires " zlib")
endif()
if(layerscope_has_LIBDEFLATE)
  string(APPEND pc_definitions " -DLAYERSCOPE_WITH_LIBDEFLATE")
  string(APPEND pc_requires " libdeflate")
endif()
configure_file(cmake/layerscope-compiled.pc.in ${PROJECT_BINARY_DIR}/layerscope-compiled.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/layerscope-compiled.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The header-only file points at stb's folder, which exists only where stb is installed.
if(Stb_INCLUDE_DIR)
  configure_file(cmake/layerscope.pc.in ${PROJECT_BINARY_DIR}/layerscope.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/layerscope.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
