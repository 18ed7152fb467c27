"""Arrays of NumPy and torch alike: conversion, memory, products, annotated shapes, checks of input."""
