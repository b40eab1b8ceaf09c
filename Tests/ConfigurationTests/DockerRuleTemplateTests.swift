import Testing

@testable import Configuration

@Suite("The rule of containers that have none")
struct DockerRuleTemplateTests {
    @Test(
        "what is known of the container is put in",
        arguments: [
            ("Host(`{{ normalize .Name }}`)", "Host(`web-shop`)"), ("Host(`{{.Name}}.x`)", "Host(`web-shop.x`)"),
            ("{{ .ContainerName }}", "shop_web.1"), ("{{ normalize .ContainerName }}", "shop-web-1"),
            ("{{ .Name | normalize }}", "web-shop"), ("{{ index .Labels \"region\" }}", "EU"),
            ("{{ index .Labels `region` | lower }}", "eu"), ("{{ lower (index .Labels \"region\") }}", "eu"),
            ("{{ \"region\" | index .Labels }}", "EU"), ("{{ index .Labels \"none\" }}", ""),
            ("{{ index .Labels \"none\" | default \"x\" }}", "x"), ("{{ default \"x\" .Name }}", "web-shop"),
            ("{{ trimPrefix \"web-\" .Name }}", "shop"), ("{{ .Name | trimPrefix `web-` | upper }}", "SHOP"),
            ("{{ .Name | trimSuffix `-shop` }}", "web"), ("{{ .Name | replace \"-\" \".\" }}", "web.shop"),
            ("{{ .Name | replace \"\" \".\" }}", "web-shop"), ("", ""), ("Path(`/a`)", "Path(`/a`)"),
            ("{{ `}}` }}", "}}"), ("a}}b", "a}}b"), ("{{ (.Name) }}{{ .Name }}", "web-shopweb-shop"),
        ])
    func rendered(_ text: String, _ rule: String) throws {
        let template = try DockerRuleTemplate(text)
        let labels = ["region": "EU"]
        #expect(template.rendered(name: "web-shop", containerName: "shop_web.1", labels: labels) == rule)
    }

    @Test(
        "what is not understood is named",
        arguments: [
            ("{{ if .Name }}a{{ end }}", "if is not supported"), ("{{ range .Labels }}", "range is not supported"),
            ("{{ .Foo }}", ".Foo is not supported"), ("{{ .Labels.region }}", ".Labels.region is not supported"),
            ("{{ .Labels }}", "index .Labels"), ("{{- .Name }}", "\"-\" is not supported"),
            ("{{ .Name", "has no matching }}"),
            ("{{ }}", "a value is missing"), ("{{ .Name | }}", "a value is missing"), ("{{ \"a }}", "is not closed"),
            ("{{ \"a\\n\" }}", "escapes in strings"), ("{{ normalize }}", "normalize takes 1 value, but has 0"),
            ("{{ trimPrefix .Name }}", "takes 2 values"), ("{{ .Name .Name }}", "follow each other"),
            ("{{ .Name | \"a\" }}", "cannot follow |"), ("{{ (.Name }}", "has no matching \")\""),
            ("{{ .Name ) }}", "has no matching \"(\""),
            ("{{ index .Name \"a\" }}", "index works only on .Labels"), ("{{ index .Labels }}", "takes one key"),
            ("{{ $x }}", "$x is not supported"), ("{{ sha256sum .Name }}", "sha256sum is not supported"),
            ("{{ \(String(repeating: "(", count: 10_000)) }}", "nested more than"),
            ("{{ .Name \(String(repeating: "| lower ", count: 10_000)) }}", "more than 20 values are piped"),
        ])
    func diagnostics(_ text: String, _ message: String) {
        let error = #expect(throws: DockerSettingError.self) { try DockerRuleTemplate(text) }
        #expect(error?.key == "defaultRule")
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test("a rule has at most 16 KiB")
    func longRule() throws {
        let template = try DockerRuleTemplate("{{ .Name }}")
        let name = String(repeating: "a", count: 16 << 10)
        #expect(template.rendered(name: name, containerName: "", labels: [:]) == name)
        #expect(template.rendered(name: name + "a", containerName: "", labels: [:]) == nil)
    }

    @Test(
        "names are made of letters and digits",
        arguments: [
            ("web", "web"), ("/shop_web.1", "shop-web-1"), ("__a--b__", "a-b"), ("Ä b٣", "Ä-b٣"), ("...", ""), ("", ""),
        ])
    func names(_ text: String, _ name: String) {
        #expect(DockerName.normalized(text) == name)
    }
}
