plugins { java }
java { toolchain { languageVersion.set(JavaLanguageVersion.of(17)) } }
