{
    'name': 'SICANTIK WhatsApp (for tests)',
    'summary': "A stand-in for the module that sends by itself: its configuration, its dispatcher's methods",
    'version': '1.0',
    'category': 'Hidden',
    'author': 'sicantik_wa',
    'license': 'LGPL-3',
    'depends': ['sicantik_permits'],
    'data': ['ir.model.access.csv'],
}
