mod copies;
mod nodes;
