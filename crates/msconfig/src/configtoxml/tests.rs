use super::*;
use mta_config::source::legacy::Section;

/// A root that holds the legacy configuration of the corpus.
fn root() -> (tempfile::TempDir, ServerRoot) {
    let directory = tempfile::tempdir().unwrap();
    let root = ServerRoot::new(directory.path().to_owned());
    std::fs::create_dir(root.config()).unwrap();
    std::fs::write(root.restricted(), "user=mailsrv\n").unwrap();
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus/legacy");
    for file in std::fs::read_dir(corpus).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), root.config().join(file.file_name())).unwrap();
    }
    (directory, root)
}

fn converted() -> (tempfile::TempDir, ServerRoot, Config, Report) {
    let (directory, root) = root();
    let (before, _) = Config::from_text(&root).expect("the corpus loads");
    let report = convert(&root, &Arguments::default()).unwrap();
    (directory, root, before, report)
}

#[test]
fn both_forms_make_the_same_configuration() {
    let (_directory, root, before, _) = converted();
    assert_eq!(Form::of(&root), Form::Unified);
    let (after, _) = Config::from_text(&root).unwrap();
    // An option that no table has is odd in the one form and cannot be in the other.
    assert_eq!(before.mta, after.mta);
    assert!(
        before
            .rules
            .in_memory()
            .iter()
            .map(|r| (r.pattern(), r.template()))
            .eq(after
                .rules
                .in_memory()
                .iter()
                .map(|r| (r.pattern(), r.template())))
    );
    // Mapping tables, aliases and text databases, whole.
    let reloadable = |config| mta_config::image::identity(config).reloadable;
    assert_eq!(reloadable(&before), reloadable(&after));
    assert_eq!(before.channels, after.channels);
    assert_eq!(before.dispatcher, after.dispatcher);
    assert_eq!(before.tasks, after.tasks);
    for channel in before.channels.iter() {
        let (old, new) = (&before.job_controller, &after.job_controller);
        assert_eq!(old.pool_name(channel), new.pool_name(channel));
        let class = |jobs: &mta_config::pool::JobControllerOptions| {
            let class = jobs.class_for(channel.name()).cloned();
            class.map(|class| mta_config::pool::ChannelClass {
                pattern: String::new(),
                ..class
            })
        };
        assert_eq!(class(old), class(new), "{}", channel.name());
    }
}

#[test]
fn what_could_not_be_carried_over_is_told() {
    let (_directory, root, _, report) = converted();
    let text = report.to_string();
    for told in [
        "22  MTA options",
        "site_specific_option (unknown MTA option, option.dat, line 27)",
        "comment lines of imta.cnf",
    ] {
        assert!(text.contains(told), "{told}:\n{text}");
    }
    assert!(!root.imta_cnf().exists() && root.config().join("members.txt").exists());
    assert!(root.config().join("legacy-config/partner.rules").exists());
    // A second time there is nothing to do.
    let again = possible(&root, &Arguments::default()).unwrap_err();
    assert!(
        again
            .to_string()
            .ends_with("config.xml is there already; --force replaces it")
    );
}

#[test]
fn a_legacy_configuration_with_errors_is_left_alone() {
    let (_directory, root) = root();
    std::fs::write(root.config().join("aliases"), "a:\nb:\n").unwrap();
    let refused = convert(&root, &Arguments::default()).unwrap_err();
    assert!(matches!(refused, Error::Faults(2)));
    assert!(root.imta_cnf().exists() && !root.config_xml().exists());
}

#[test]
fn each_section_prints_as_it_is_read() {
    let (_directory, root, _, _) = converted();
    let (tree, _) = source::read_tree(&root).unwrap();
    for section in Section::ALL {
        let text = section.print(&tree);
        assert!(!text.is_empty(), "{}", section.name());
        let name = std::path::Path::new(section.name());
        let read = section
            .parse(&text, name, &root)
            .unwrap_or_else(|faults| panic!("{}\n{text}", faults[0]));
        assert_eq!(read.warnings, [], "{}", section.name());
        section
            .check(&read, &tree)
            .unwrap_or_else(|faults| panic!("{}\n{text}", faults[0]));
        let mut edited = tree.clone();
        let changed = section.replace(&mut edited, &read.tree);
        assert!(!changed, "{}\n{text}", section.name());
        assert_eq!(section.print(&edited), text);
        assert_eq!(edited.entries().len(), tree.entries().len());
    }
}
