#!/usr/bin/env node
// Stands apart from dist/ so that npm finds and links it before the first build.
import "../dist/main.js";
