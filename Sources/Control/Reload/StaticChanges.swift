extension Configuration {
    /// The keys of the main file that say something else than in `other`, and that take effect at a start alone, in the
    /// order in which people write them.
    func staticChanges(from other: Configuration) -> [String] {
        [
            ("entryPoints", entryPoints != other.entryPoints || admin != other.admin),
            ("providers", providers != other.providers), ("fleet", fleet != other.fleet),
            ("replica", replica != other.replica), ("store", store != other.store), ("log", log != other.log),
            ("accessLog", accessLog != other.accessLog),
        ]
        .filter(\.1).map(\.0)
    }
}
