/// Who says what a router, service or middleware is. A name is unique within its provider.
enum ProviderName: String, CaseIterable, Sendable {
    /// All files: the main one and those of the file provider.
    case file
    /// All containers.
    case docker

    /// How an object is called everywhere. What files say is called as it is written, whichever providers there are.
    func qualified(_ name: String) -> String {
        switch self {
        case .file: name
        case .docker: "\(name)@\(rawValue)"
        }
    }
}
